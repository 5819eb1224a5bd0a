// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@Suite struct `Peer IDs` {
    // RFC 9562, appendix A and §5.9: the nil UUID, a UUIDv4, a UUIDv8 and the max UUID.
    @Test(arguments: [
        ("00000000-0000-0000-0000-000000000000", UInt64(0), UInt64(0)),
        ("919108f7-52d1-4320-9bac-f847db4148a8", 0x9191_08F7_52D1_4320, 0x9BAC_F847_DB41_48A8),
        ("2489e9ad-2ee2-8e00-8ec9-32d5f69181c0", 0x2489_E9AD_2EE2_8E00, 0x8EC9_32D5_F691_81C0),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", .max, .max),
    ])
    func `text and bits agree`(_ text: String, _ high: UInt64, _ low: UInt64) {
        let id = PeerID(high: high, low: low)
        #expect(PeerID(text) == id)
        #expect(PeerID(text.uppercased()) == id)
        #expect(id.description == text)
        #expect(PeerID(octets: id.octets) == id)
        #expect(id.shortDigits == text.prefix(8))
    }

    @Test(arguments: [
        "", "919108f7", "919108f752d143209bacf847db4148a8", "{919108f7-52d1-4320-9bac-f847db4148a8}",
        "urn:uuid:919108f7-52d1-4320-9bac-f847db4148a8", "919108f7-52d1-4320-9bac-f847db4148a",
        "919108f7-52d1-4320-9bac-f847db4148a8a", "919108f7-52d1-4320-9bac-f847db4148ag",
        " 919108f7-52d1-4320-9bac-f847db4148a8",
        "919108f75-2d1-4320-9bac-f847db4148a8", "919108f7-52d1-4320-9bac-f847db4148a8\n",
        "919108f7_52d1-4320-9bac-f847db4148a8",
        "９19108f7-52d1-4320-9bac-f847db4148", "919108f7--2d1-4320-9bac-f847db4148a8",
        "-19108f7-52d1-4320-9bac-f847db4148a8",
    ])
    func `anything but the canonical form is refused`(_ text: String) { #expect(PeerID(text) == nil) }

    @Test(arguments: [0, 1, 15, 17, 32])
    func `only sixteen octets make an ID`(_ count: Int) {
        #expect(PeerID(octets: [UInt8](repeating: 7, count: count)) == nil)
    }

    @Test(arguments: UInt8(0)...15)
    func `stamping sets version and variant and nothing else`(_ version: UInt8) {
        for bits in [UInt64(0), .max, 0x0123_4567_89AB_CDEF] {
            let id = PeerID(high: bits, low: bits).stamped(version: version)
            #expect(id.version == version)
            #expect(id.hasStandardVariant)
            #expect(id.isKeyed == (version == 8))
            #expect(id.high | 0xF000 == bits | 0xF000)
            #expect(id.low << 2 == bits << 2)
        }
    }

    @Test func `version eight of another variant is no key's`() {
        #expect(!PeerID(high: 0x8000, low: .max).isKeyed)
        #expect(!PeerID(high: 0x8000, low: 0).isKeyed)
    }

    @Test func `order is that of the octets`() throws {
        let texts = [
            "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-8000-000000000000",
            "00000000-0000-0001-0000-000000000000", "80000000-0000-0000-0000-000000000000",
        ]
        let ids = try texts.map { try #require(PeerID($0)) }
        #expect(ids.reversed().sorted() == ids)
    }

    @Test func `a message ID is a random UUID, and its text reads back`() {
        let id = MessageID(random: .max, 0)
        #expect(id.description == "ffffffff-ffff-4fff-8000-000000000000")
        #expect(MessageID(id.description) == id)
        #expect(MessageID("x") == nil)
    }
}
