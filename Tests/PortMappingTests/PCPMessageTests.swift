// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PortMapping
import Testing

/// PCP's octets, held against RFC 6887's figures.
@Suite struct PCPMessageTests {
    private static let nonce = PCP.Nonce(high: 0x0102_0304, low: 0x0506_0708_090A_0B0C)
    private static let outside = Endpoint(address: .v4(0x1900_7115), port: 50_000)

    private static func octets(_ text: String) -> [UInt8] {
        let digits = Array(text.filter { !$0.isWhitespace })
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16)
        }
    }

    /// Figures 2 and 9: from 192.168.1.2, for UDP port 40000, with the wish for 25.0.113.21:50000, for two hours.
    private static let mapRequest = octets(
        """
        02 01 0000 00001C20  00000000 00000000 0000FFFF C0A80102
        01020304 05060708 090A0B0C  11 000000 9C40 C350  00000000 00000000 0000FFFF 19007115
        """)

    /// Figures 3 and 10: granted, for an hour, by a router that lives for a day.
    private static let mapAnswer = octets(
        """
        02 81 00 00 00000E10 00015180 00000000 00000000 00000000
        01020304 05060708 090A0B0C  11 000000 9C40 C350  00000000 00000000 0000FFFF 19007115
        """)

    private static let granted = PCPAnswer.body(
        .init(
            operation: .map(PCP.Mapping(nonce: nonce, port: 40_000, external: outside)), result: .success,
            lifetime: 3600, epoch: 86_400))

    private static func changed(_ index: Int, to value: UInt8) -> [UInt8] {
        var bytes = mapAnswer
        bytes[index] = value
        return bytes
    }

    @Test func `a request for a mapping is as the figures have it`() {
        let mapping = PCP.Mapping(nonce: Self.nonce, port: 40_000, external: Self.outside)
        let request = PCPRequest(operation: .map(mapping), lifetime: 7200, client: .v4(0xC0A8_0102))
        #expect(request.encoded() == Self.mapRequest)
        #expect(Self.mapRequest.count == 60)
    }

    @Test func `an announcement is asked for by a header alone, and IPv6 stands in full`() {
        let request = PCPRequest(operation: .announce, client: .v6(0x2A00_0001_0002_0003, 0x42))
        #expect(
            request.encoded() == Self.octets("02 00 0000 00000000  2A000001 00020003 00000000 00000042"))
    }

    @Test func `to remove is to ask for no time, and to wish for nothing`() {
        let mapping = PCP.Mapping(nonce: Self.nonce, port: 40_000, external: Endpoint(address: .v4(0), port: 0))
        let bytes = PCPRequest(operation: .map(mapping), lifetime: 0, client: .v4(0xC0A8_0102)).encoded()
        #expect(Array(bytes[4..<8]) == [0, 0, 0, 0])
        #expect(Array(bytes[42...]) == Self.octets("0000 00000000 00000000 0000FFFF 00000000"))
    }

    @Test func `answers are read as the figures have them`() {
        #expect(PCPAnswer(Self.mapAnswer) == Self.granted)
        #expect(
            PCPAnswer(Self.octets("02 80 00 00 00000000 00000007 00000000 00000000 00000000"))
                == .body(.init(operation: .announce, result: .success, lifetime: 0, epoch: 7)))
        // Options that we don't know may follow.
        #expect(PCPAnswer(Self.mapAnswer + [200, 0, 0, 0]) == Self.granted)
        // NAT-PMP's word for a version that it does not know (RFC 6886, §3.5), and an old draft of PCP.
        #expect(PCPAnswer(Self.octets("00 81 0001 00000009")) == .otherVersion(0))
        #expect(PCPAnswer(Self.changed(0, to: 1)) == .otherVersion(1))
    }

    private struct Foreign: CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        init(_ name: String, _ bytes: [UInt8]) { (testDescription, self.bytes) = (name, bytes) }
    }

    private static let foreign: [Foreign] = [
        Foreign("empty", []), Foreign("one octet", [2]), Foreign("a request", mapRequest),
        Foreign("cut", Array(mapAnswer.dropLast())), Foreign("cut at a word", Array(mapAnswer.dropLast(4))),
        Foreign("header alone", Array(mapAnswer.prefix(24))), Foreign("half a header", Array(mapAnswer.prefix(12))),
        Foreign("an odd octet more", mapAnswer + [0]),
        Foreign("too long", mapAnswer + [UInt8](repeating: 0, count: 1044)),
        Foreign("another operation", changed(1, to: 0x82)), Foreign("for TCP", changed(36, to: 6)),
    ]

    @Test(arguments: foreign) private func `what is no answer to us is none`(foreign: Foreign) {
        #expect(PCPAnswer(foreign.bytes) == nil)
    }

    @Test func `the longest message is read`() {
        #expect(PCPAnswer(Self.mapAnswer + [UInt8](repeating: 0, count: 1040)) == Self.granted)
    }

    @Test func `nothing that a router sends is too much: every length, and any octets`() {
        var random = RandomSource.seeded(6887)
        var read = 0
        for round in 0..<20_000 {
            var bytes = round.isMultiple(of: 2) ? Self.mapAnswer : random.octets(Int(random.next() % 1200))
            for _ in 0..<(random.next() % 4) where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 8 == 0 { bytes = Array(bytes.prefix(Int(random.next() % 70))) }
            guard case .body(let body)? = PCPAnswer(bytes) else { continue }
            read += 1
            #expect(bytes.count >= 24 && bytes.count <= 1100 && bytes.count.isMultiple(of: 4))
            if case .map = body.operation { #expect(bytes.count >= 60) }
        }
        #expect(read > 1000)
    }

    @Test func `every code is a clause`() {
        let reasons = (UInt8.min...UInt8.max).map { PCPResult($0).reason }
        #expect(reasons[0] == nil)
        #expect(reasons.dropFirst().allSatisfy { $0?.isEmpty == false && $0?.last != "." })
        #expect(reasons[12] == "another router is between: what arrives there has not our address")
        #expect(reasons[255] == "the router refuses it (error 255)")
    }
}

/// When a router has forgotten everything.
@Suite struct RouterLifeTests {
    @Test(
        arguments: [
            // As fast as we are, or nearly so.
            (1000, 1600, 600, false), (1000, 1562, 600, false), (1000, 1638, 600, false), (1000, 1000, 0, false),
            (1000, 999, 0, false), (0, 4_294_967_295, 4_294_967_295, false),
            // Back, too slow, too fast.
            (1000, 998, 0, true), (1000, 0, 600, true), (1000, 1500, 600, true), (1000, 1700, 600, true),
            (4_294_967_295, 0, 1, true),
        ] as [(UInt32, UInt32, Int, Bool)])
    func `PCP: a clock goes on as ours does`(before: UInt32, after: UInt32, ours: Int, isOver: Bool) {
        let start = Instant(nanoseconds: 5)
        let life = RouterLife(seconds: before, at: start)
        let later = RouterLife(seconds: after, at: start + .seconds(ours))
        #expect(life.isOver(later, by: .pcp) == isOver)
        #expect(life.isOver(later, by: .firewall) == isOver)
    }

    @Test(
        arguments: [
            (1000, 1600, 600, false), (1000, 1523, 600, false), (1000, 9000, 600, false), (1000, 998, 0, false),
            (1000, 1522, 600, true), (1000, 997, 0, true), (4_294_967_295, 0, 1, true),
        ] as [(UInt32, UInt32, Int, Bool)])
    func `NAT-PMP: a clock is seven eighths as fast as ours or more`(
        before: UInt32, after: UInt32, ours: Int, isOver: Bool
    ) {
        let start = Instant(nanoseconds: 5)
        let life = RouterLife(seconds: before, at: start)
        #expect(life.isOver(RouterLife(seconds: after, at: start + .seconds(ours)), by: .natPMP) == isOver)
    }
}
