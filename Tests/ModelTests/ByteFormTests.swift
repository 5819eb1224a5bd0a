// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import Testing

@Suite struct `Forms read and written where their bytes lie` {
    @Test func `an ID takes a digit of either case at each place, and no other byte`() {
        let text = Array("919108f7-52d1-4320-9bac-f847db4148a8".utf8)
        for place in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[place] = byte
                let isDash = text[place] == UInt8(ascii: "-")
                let fits = isDash ? byte == text[place] : hexValue(byte) != nil
                let id = PeerID(ascii: changed.span)
                #expect((id != nil) == fits)
                if let id { #expect(id.description == String(decoding: changed, as: UTF8.self).lowercased()) }
            }
        }
    }

    /// The system's own reader of addresses (POSIX, inet_pton) is the judge.
    @Test func `an address is read as the system reads it`() {
        var chance = SplitMix64(seed: 4)
        var (read, refused) = (0, 0)
        for _ in 0..<20_000 {
            let mask = chance.next() & 0x0001_0001_0001_0001 &* 0xFFFF
            let v4 = Endpoint.Address.v4(UInt32(truncatingIfNeeded: chance.next()))
            let v6 = Endpoint.Address.v6(chance.next() & mask, chance.next() & mask)
            var text = Array((chance.next() % 2 == 0 ? "\(v4)" : "\(v6)").utf8)
            if chance.next() % 4 == 0, let groups = text.firstIndex(of: UInt8(ascii: ":")) {
                text.replaceSubrange(groups..., with: Array(":\(v4)".utf8))
            }
            for _ in 0..<chance.next() % 3 {
                let place = Int(truncatingIfNeeded: chance.next() >> 1) % text.count
                text[place] = Array("0123456789af:.:".utf8)[Int(truncatingIfNeeded: chance.next() >> 1) % 15]
            }
            let string = String(decoding: text, as: UTF8.self)
            let expected = systemAddress(string)
            if expected == nil { refused += 1 } else { read += 1 }
            #expect(Endpoint.address(string) == expected, "\(string)")
            let bracketed = string.contains(":") ? "[\(string)]:7" : "\(string):7"
            #expect(Endpoint(ascii: Array(bracketed.utf8).span)?.address == expected, "\(bracketed)")
            if let expected { #expect(systemAddress("\(expected)") == expected) }
        }
        #expect(read > 5000 && refused > 2000, "\(read) read, \(refused) refused")
    }

    private func systemAddress(_ text: String) -> Endpoint.Address? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return .v4(UInt32(bigEndian: v4.s_addr)) }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let words = withUnsafeBytes(of: v6) {
            (
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        return Endpoint(address: .v6(words.0, words.1), port: 0).address
    }

    @Test func `every form is appended as it is described`() {
        var chance = SplitMix64(seed: 5)
        for _ in 0..<1000 {
            let id = PeerID(high: chance.next(), low: chance.next())
            let endpoint = Endpoint(address: .v6(id.high, id.low), port: UInt16(truncatingIfNeeded: id.low))
            var out = Array("x".utf8)
            id.append(to: &out)
            endpoint.append(to: &out)
            Base64URL.append(id.octets.span, to: &out)
            #expect(String(decoding: out, as: UTF8.self) == "x\(id)\(endpoint)\(Base64URL.encode(id.octets))")
        }
    }

    @Test(arguments: [UInt16(0), 9, 10, 99, 100, 999, 1000, 9999, 10_000, 65_535])
    func `a port has as many digits as it needs`(port: UInt16) {
        #expect("\(Endpoint.loopback(port))" == "127.0.0.1:" + String(port))
    }

    @Test func `sixteen octets come back from their characters, or none do`() {
        var chance = SplitMix64(seed: 6)
        for count in 0...40 {
            for _ in 0..<50 {
                var text = Array(Base64URL.encode(chance.bytes(count)).utf8)
                if chance.next() % 2 == 0, !text.isEmpty {
                    text[Int(truncatingIfNeeded: chance.next() >> 1) % text.count] = chance.bytes(1)[0]
                }
                let octets = String(validating: text, as: UTF8.self).flatMap { Base64URL.decode($0) }
                let expected = octets.flatMap { PeerID(octets: $0) }
                #expect(Base64URL.decode16(text.span).map { PeerID(high: $0.0, low: $0.1) } == expected)
            }
        }
    }
}
