// SPDX-License-Identifier: GPL-3.0-or-later
import FuzzTargets
import Model
import Support
import Testing

/// Many requests, right, nearly right and broken: the scanner and the full decoder agree about each.
@Suite struct `The scanner of requests` {
    private static let count = 200_000
    private static let parts = 4

    @Test func `never disagrees with the full decoder`() async {
        let tallies = await withTaskGroup(of: Tally.self) { group in
            for part in 0..<Self.parts {
                group.addTask {
                    var requests = RequestSource(seed: UInt64(part))
                    var tally = Tally()
                    for step in 0..<(Self.count / Self.parts) {
                        let request = requests.next()
                        let fuzz = ScannerFuzz(request)
                        if fuzz.isRequest { tally.requests += 1 }
                        if let fault = fuzz.fault() {
                            tally.faults.append("seed \(part): \(String(decoding: request, as: UTF8.self)): \(fault)")
                        }
                        // The tests that run beside this one want the processors too.
                        if step % 64 == 0 { await Task.yield() }
                    }
                    return tally
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(tallies.flatMap { $0.faults.prefix(3) } == [])
        let requests = tallies.reduce(0) { $0 + $1.requests }
        #expect((Self.count / 5..<Self.count / 2).contains(requests), "too tame or too wild to tell anything")
    }

    private struct Tally: Sendable {
        /// How many the scanner took for requests.
        var requests = 0
        var faults: [String] = []
    }
}

/// Requests of every kind, from what any client may send to what none would.
private struct RequestSource {
    private var chance: SplitMix64

    init(seed: UInt64) { chance = SplitMix64(seed: seed) }

    mutating func next() -> [UInt8] {
        var members = request()
        if chance.oneIn(2) { members += extras() }
        if chance.oneIn(2) { members.shuffle(using: &chance) }
        // A second member of the same name, now and then with the value of another.
        if chance.oneIn(8), let name = members.randomElement(using: &chance)?.name,
            let value = members.randomElement(using: &chance)?.value
        {
            members.insert((name, value), at: chance.at(0...members.count))
        }
        let isSpaced = chance.oneIn(4)
        let text = members.map { member in
            ["\"\(member.name)\"", ":", member.value].map { space(isSpaced) + $0 }.joined() + space(isSpaced)
        }
        var bytes = Array("\(space(isSpaced)){\(text.joined(separator: ","))}\(space(isSpaced))".utf8)
        if !chance.oneIn(3) { for _ in 0..<chance.at(1...4) { mutate(&bytes) } }
        return bytes
    }

    private typealias Member = (name: String, value: String)

    private mutating func request() -> [Member] {
        switch chance.at(0...2) {
        case 0: return [("req_type", "\"query\""), ("queried_uuid", quoted(peer()))]
        case 1: return [("req_type", "\"registration\""), ("addr", quoted(address()))]
        default:
            return [("req_type", "\"keepalive\""), ("uuid", quoted(peer())), ("token", quoted(octets()))]
        }
    }

    private mutating func extras() -> [Member] {
        var extras: [Member] = []
        if chance.oneIn(2) { extras.append(("nonce", quoted(String("0123456789abcdefghi".prefix(chance.at(0...18)))))) }
        if chance.oneIn(3) { extras.append(("prove", simple())) }
        if chance.oneIn(4) { extras.append(("pad", quoted(String(repeating: "0", count: chance.at(0...40))))) }
        if chance.oneIn(6) { extras.append((anyName(), simple())) }
        if chance.oneIn(12) { extras.append(("record", chance.oneIn(2) ? simple() : quoted(octets()))) }
        return extras
    }

    private func quoted(_ text: String) -> String { "\"\(text)\"" }

    private mutating func peer() -> String {
        let text = "\(PeerID(high: chance.next(), low: chance.next()))"
        return chance.oneIn(4) ? text.uppercased() : text
    }

    private mutating func address() -> String {
        let port: UInt16 = chance.oneIn(10) ? 0 : UInt16(truncatingIfNeeded: chance.next())
        let mask: UInt64 = chance.oneIn(2) ? .max : chance.next() & 0x0001_0001_0001_0001 &* 0xFFFF
        let address: Endpoint.Address =
            chance.oneIn(2)
            ? .v4(UInt32(truncatingIfNeeded: chance.next() & mask)) : .v6(chance.next() & mask, chance.next() & mask)
        return "\(Endpoint(address: address, port: port))"
    }

    private mutating func octets() -> String {
        Base64URL.encode(chance.bytes(chance.oneIn(8) ? chance.at(0...40) : 16))
    }

    private mutating func anyName() -> String {
        let names = ["", "x", "uuid", "addr", "token", "cookie", "queried_uuid", "req_type", "Nonce", "nonces", "ü"]
        return names.randomElement(using: &chance) ?? ""
    }

    private mutating func simple() -> String {
        let values = [
            "true", "true", "true", "false", "null", "0", "-0", "7", "-12", "01", "1.5", "1e9", "\"true\"", "\"\\n\"",
            "123456789012345678", "1234567890123456789012345678901234567890", "[]", "{}", "\"\u{7F}\"", "\"é\"",
        ]
        return values.randomElement(using: &chance) ?? ""
    }

    private mutating func space(_ isSpaced: Bool) -> String {
        isSpaced ? ["", " ", "\n", "\r\n", "\t", "  "].randomElement(using: &chance) ?? "" : ""
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let from = chance.at(0...bytes.count)
        let to = min(bytes.count, from + chance.at(0...6))
        switch chance.at(0...6) {
        case 0 where from < bytes.count: bytes[from] ^= 1 << UInt8(chance.at(0...7))
        case 1 where from < bytes.count: bytes[from] = Array("\"\\{}[]:,-0.etfn g".utf8)[chance.at(0...16)]
        case 2: bytes.removeSubrange(from..<to)
        case 3: bytes.insert(contentsOf: bytes[from..<to], at: from)
        case 4: bytes.removeLast(bytes.count - from)
        case 5: bytes.insert(UInt8(chance.at(0...255)), at: from)
        default: bytes.insert(contentsOf: Array("\\u0061".utf8), at: from)
        }
    }
}

extension SplitMix64 {
    /// True once in so many times.
    fileprivate mutating func oneIn(_ times: UInt64) -> Bool { next() % times == 0 }

    fileprivate mutating func at(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
