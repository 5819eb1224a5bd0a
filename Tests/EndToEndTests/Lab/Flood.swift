// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import Synchronization

/// Datagrams that no program of ours sends, the same ones for each seed: noise, unfinished JSON, what is too large, and
/// requests with some octets changed.
struct Junk {
    private static let requests = [
        #"{"req_type":"query","queried_uuid":"67e55044-10b1-426f-9247-bb680e5fe0c8","nonce":"AAAAAAAAAAA"}"#,
        #"{"req_type":"registration","addr":"127.0.0.1:50001"}"#,
        #"{"req_type":"registration","addr":"127.0.0.1:5","uuid":"67e55044-10b1-826f-9247-bb680e5fe0c8","record":"AAECAwQF"}"#,
        #"{"req_type":"keepalive","uuid":"67e55044-10b1-826f-9247-bb680e5fe0c8","token":"AAAAAAAAAAAAAAAAAAAAAA"}"#,
    ].map { Array($0.utf8) }

    private var chance: SplitMix64
    private var pool: [[UInt8]] = []

    init(seed: UInt64) {
        chance = SplitMix64(seed: seed)
        pool = (0..<2048).map { _ in fresh() }
    }

    /// The next one: one of a pool with another octet changed, so that none comes twice.
    mutating func next() -> [UInt8] {
        let draw = chance.next()
        let place = Int(draw % UInt64(pool.count))
        let count = pool[place].count
        if count == 0 || draw >> 60 == 0 {
            pool[place] = fresh()
        } else {
            pool[place][Int(draw >> 16 & 0xFFFF) % count] = UInt8(truncatingIfNeeded: draw >> 40)
        }
        return pool[place]
    }

    private mutating func fresh() -> [UInt8] {
        func upTo(_ limit: Int) -> Int { Int.random(in: 0...limit, using: &chance) }
        switch upTo(31) {
        case 0..<10: return chance.bytes(upTo(200))
        case 10..<20: return Array("{".utf8) + chance.bytes(upTo(200))
        case 20..<24: return Array(#"{"req_type":"query","queried_uuid":""#.utf8) + chance.bytes(upTo(1400))
        case 24: return Array(#"{"req_type":"query","pad":""#.utf8) + [UInt8](repeating: 0x61, count: upTo(9000))
        case 25: return [UInt8](repeating: 0x5B, count: upTo(1400))
        default: return Junk.requests[upTo(Junk.requests.count - 1)]
        }
    }
}

/// A thread that sends junk to a port on loopback as fast as it can, until it has sent enough or is stopped.
final class Flood: Sendable {
    private struct State {
        var sent = 0
        var isStopped = false
        var isDone = false
    }

    private let state = Mutex(State())

    init(at port: UInt16, seed: UInt64, count: Int = .max) throws {
        let socket = try DatagramSocket()
        Thread.detachNewThread { [self] in
            var junk = Junk(seed: seed)
            var sent = 0
            while sent < count, !report(sent) {
                for _ in 0..<min(64, count - sent) { try? socket.send(junk.next(), to: port) }
                sent += min(64, count - sent)
            }
            state.withLock { ($0.sent, $0.isDone) = (sent, true) }
        }
    }

    private func report(_ sent: Int) -> Bool {
        state.withLock {
            $0.sent = sent
            return $0.isStopped
        }
    }

    var sent: Int { state.withLock { $0.sent } }
    var isDone: Bool { state.withLock { $0.isDone } }

    /// Ends it, and returns when it has ended.
    func stop() {
        state.withLock { $0.isStopped = true }
        _ = holds(within: .seconds(10)) { isDone }
    }
}

/// Clients of an index server, each on a thread and a socket of its own, that ask for one peer every 20 ms and ask
/// again, at most four times, when nothing comes within a second.
final class Askers: Sendable {
    struct Tally {
        var asked = 0
        /// Queries without an answer, or with another one than the peer's address.
        var unanswered = 0
        fileprivate var isStopped = false
        fileprivate var running = 0
    }

    private let state = Mutex(Tally())

    init(_ count: Int, at port: UInt16, of peer: String, living address: String) throws {
        let query = #"{"req_type":"query","queried_uuid":"\#(peer)"}"#
        state.withLock { $0.running = count }
        for _ in 0..<count {
            let socket = try DatagramSocket()
            Thread.detachNewThread { [self] in
                var next = Instant.now
                while !state.withLock({ $0.isStopped }) {
                    let answer = try? socket.ask(query, at: port, tries: 5, each: .seconds(1))
                    let isRight = answer?.contains("\"\(address)\"") == true
                    state.withLock {
                        $0.asked += 1
                        if !isRight { $0.unanswered += 1 }
                    }
                    next = max(next + .milliseconds(20), .now)
                    pause(until: next)
                }
                state.withLock { $0.running -= 1 }
            }
        }
    }

    /// Ends them; what they saw.
    func stop() -> Tally {
        state.withLock { $0.isStopped = true }
        _ = holds(within: .seconds(10)) { state.withLock { $0.running } == 0 }
        return state.withLock { $0 }
    }
}
