// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing
import Wire

/// A million mutations of valid datagrams: none traps, and whatever is still accepted means the same when it is written
/// again.
@Suite struct `A mutated datagram` {
    private static let count = 1_000_000
    private static let seeds = 8

    @Test func `is refused or read, and never traps`() async {
        let tallies = await withTaskGroup(of: Tally.self) { group in
            for seed in 0..<Self.seeds {
                group.addTask {
                    var fuzzer = Fuzzer(seed: UInt64(seed))
                    for step in 0..<(Self.count / Self.seeds) {
                        fuzzer.step()
                        // The tests that run beside this one want the processors too.
                        if step % 64 == 0 { await Task.yield() }
                    }
                    return fuzzer.tally
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let accepted = tallies.reduce(0) { $0 + $1.accepted }
        #expect(tallies.reduce(0) { $0 + $1.tried } == Self.count)
        #expect(tallies.flatMap(\.unstable) == [])
        #expect((Self.count / 100..<Self.count).contains(accepted), "too tame or too wild to tell anything")
    }
}

private struct Tally: Sendable {
    var tried = 0
    var accepted = 0
    /// Datagrams that were accepted but came out differently.
    var unstable: [String] = []
}

private struct Fuzzer {
    private enum Kind { case request, reply, message }

    private static let corpus: [(Kind, [UInt8])] =
        (Samples.requests + Samples.reachingRequests).map { (.request, Array($0.1.utf8)) }
        + (Samples.replies + Samples.reachingReplies).map { (.reply, Array($0.2.utf8)) }
        + Samples.messages.map { (.message, Array($0.1.utf8)) }

    private var random: SplitMix64
    private(set) var tally = Tally()

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func step() {
        let (kind, valid) = Self.corpus[below(Self.corpus.count)]
        var bytes = valid
        for _ in 0...below(3) { mutate(&bytes) }
        tally.tried += 1
        guard let isStable = isStable(kind, bytes) else { return }
        tally.accepted += 1
        if !isStable { tally.unstable.append(text(bytes)) }
    }

    private mutating func below(_ limit: Int) -> Int {
        limit > 1 ? Int(truncatingIfNeeded: random.next() >> 1) % limit : 0
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let from = below(bytes.count + 1)
        let to = min(bytes.count, from + below(12))
        switch below(6) {
        case 0: if from < bytes.count { bytes[from] ^= 1 << below(8) }
        case 1: bytes.insert(UInt8(below(256)), at: from)
        case 2: bytes.removeSubrange(from..<to)
        case 3:
            let other = Self.corpus[below(Self.corpus.count)].1
            bytes.replaceSubrange(from..<to, with: other[below(other.count)...].prefix(40))
        case 4: bytes.removeLast(bytes.count - from)
        default: bytes.insert(contentsOf: bytes[from..<to], at: to)
        }
    }

    /// `nil` when refused, else whether it is read again as what it was read as.
    private func isStable(_ kind: Kind, _ bytes: [UInt8]) -> Bool? {
        switch kind {
        case .request:
            guard let request = try? IndexRequest(parsing: bytes) else { return nil }
            return (try? IndexRequest(parsing: request.encoded())) == request
        case .reply:
            guard let (reply, nonce) = try? IndexReply.parse(bytes) else { return nil }
            guard let again = try? IndexReply.parse(reply.encoded(nonce: nonce)) else { return false }
            return again == (reply, nonce)
        case .message:
            guard let message = try? PeerMessage(JSONObject(parsing: bytes)) else { return nil }
            // A carriage return at the end would become one with the line feed that is written behind it.
            guard message.text.utf8.last != UInt8(ascii: "\r") else { return true }
            guard let again = try? message.encoded() else { return false }
            return (try? PeerMessage(JSONObject(parsing: again))) == message
        }
    }
}
