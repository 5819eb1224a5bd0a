// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal

/// Computed by another program, from the words of the protocol document.
private enum Vector {
    /// 00010203-0405-0607-0809-0a0b0c0d0e0f
    static let dialled = PeerID(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
    /// 00 01 … 1f
    static let binding = Array(UInt8(0)..<32)
    static let reference: UInt64 = 0x0102_0304_0506_0708
    static let sessionReference: UInt64 = 0x5B01_D568_21E9_F12B
    static let transaction = ProbeTransaction(high: 0xA0A1_A2A3_A4A5_A6A7, low: 0xA8A9_AAAB)

    /// A ping keyed by the dialled ID.
    static let ping = """
        03010102030405060708a0a1a2a3a4a5a6a7a8a9aaab0000000000000000000000000000000000000000000000000000\
        5266b03b18668b6ddbd9306411b898a7
        """
    /// Its pong: unasked, seen at 203.0.113.9:50001.
    static let pong = """
        03820102030405060708a0a1a2a3a4a5a6a7a8a9aaab04cb007109000000000000000000000000c35100000000000000\
        97aa1fccf7ec1677a941f64490bfbfd5
        """
    /// A ping of a session's client.
    static let sessionPing = """
        03015b01d56821e9f12ba0a1a2a3a4a5a6a7a8a9aaab0000000000000000000000000000000000000000000000000000\
        c322920df80acd864d56c3d3e81c7083
        """
    /// Its server's pong: seen at [2001:db8::1]:443.
    static let sessionPong = """
        03025b01d56821e9f12ba0a1a2a3a4a5a6a7a8a9aaab0620010db800000000000000000000000101bb00000000000000\
        d36d84127bdd3a1534b700e9de0fc3da
        """
}

@Suite struct `A probe` {
    static let client = ProbeKey.session(binding: Vector.binding, isClient: true)
    static let server = ProbeKey.session(binding: Vector.binding, isClient: false)
    static let v6 = Endpoint(address: .v6(0x2001_0DB8_0000_0000, 1), port: 443)

    static let vectors: [(Probe, ProbeKey, String)] = [
        (
            Probe(.ping, reference: Vector.reference, transaction: Vector.transaction), .dialled(Vector.dialled),
            Vector.ping
        ),
        (
            Probe(
                .pong, reference: Vector.reference, transaction: Vector.transaction,
                observed: Endpoint("203.0.113.9:50001"), wasUnasked: true), .dialled(Vector.dialled), Vector.pong
        ),
        (
            Probe(.ping, reference: Vector.sessionReference, transaction: Vector.transaction), client.sending,
            Vector.sessionPing
        ),
        (
            Probe(.pong, reference: Vector.sessionReference, transaction: Vector.transaction, observed: v6),
            server.sending, Vector.sessionPong
        ),
    ]

    @Test(arguments: 0..<4) func `is written as the protocol says, and read again`(index: Int) {
        let (probe, key, digits) = Self.vectors[index]
        let bytes = probe.encoded(key)
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == digits)
        #expect(bytes.count == Probe.size && Probe(bytes, key: key) == probe)
    }

    @Test func `has keys for each direction of a session, and one reference`() {
        #expect(Self.client.sending == Self.server.receiving && Self.client.receiving == Self.server.sending)
        #expect(Self.client.sending != Self.client.receiving)
        #expect(Self.client.reference == Vector.sessionReference && Self.server.reference == Vector.sessionReference)
    }

    @Test func `does not come back to who sent it`() {
        let bytes = Self.vectors[2].0.encoded(Self.client.sending)
        #expect(Probe(bytes, key: Self.server.receiving) != nil && Probe(bytes, key: Self.client.receiving) == nil)
    }

    @Test(arguments: 0..<4) func `with one bit wrong is none`(index: Int) {
        let (probe, key, _) = Self.vectors[index]
        let bytes = probe.encoded(key)
        for bit in 0..<(Probe.size * 8) {
            var wrong = bytes
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Probe(wrong, key: key) == nil)
        }
    }

    @Test func `of another length is none`() {
        let bytes = Self.vectors[0].0.encoded(.dialled(Vector.dialled))
        for count in [0, 1, 63] { #expect(Probe(Array(bytes.prefix(count)), key: .dialled(Vector.dialled)) == nil) }
        #expect(Probe(bytes + [0], key: .dialled(Vector.dialled)) == nil && Probe.peek(bytes + [0]) == nil)
    }

    @Test func `can be told without a key`() throws {
        let (probe, key, _) = Self.vectors[1]
        let (kind, reference, transaction) = try #require(Probe.peek(probe.encoded(key)))
        #expect(kind == .pong && reference == probe.reference && transaction == probe.transaction)
    }

    @Test func `is read from any octets without harm`() {
        var random = RandomSource.seeded(7)
        for _ in 0..<20_000 {
            var bytes = random.octets(Int.random(in: 0...80, using: &random))
            if bytes.count > 22, Bool.random(using: &random) { (bytes[0], bytes[1], bytes[22]) = (3, 2, 4) }
            _ = Probe.peek(bytes)
            #expect(Probe(bytes, key: Self.client.sending) == nil)
        }
    }

    @Test func `that tells no place where packets may go is none`() {
        let multicast = Endpoint(address: .v4(0xE000_0001), port: 9)
        for nowhere in [Endpoint(address: .v4(0x0A00_0001), port: 0), multicast] {
            let probe = Probe(.pong, reference: 1, transaction: Vector.transaction, observed: nowhere)
            #expect(Probe(probe.encoded(Self.client.sending), key: Self.client.sending) == nil)
        }
    }
}
