// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@Suite struct Endpoints {
    @Test(arguments: [
        ("127.0.0.1:50000", "127.0.0.1:50000"), ("0.0.0.0:0", "0.0.0.0:0"),
        ("255.255.255.255:65535", "255.255.255.255:65535"),
        ("[::1]:1", "[::1]:1"), ("[::]:50000", "[::]:50000"), ("[fe80::1]:7", "[fe80::1]:7"),
        ("[::ffff:10.1.2.3]:9", "10.1.2.3:9"), ("[::ffff:0a01:0203]:9", "10.1.2.3:9"),
        ("[64:ff9b::192.0.2.33]:9", "[64:ff9b::c000:221]:9"),
    ])
    func `an endpoint reads and prints`(_ text: String, _ canonical: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.description == canonical)
        #expect(Endpoint(canonical) == endpoint)
    }

    // RFC 5952, §4 and RFC 4291, §2.2.
    @Test(arguments: [
        ("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"), ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:DB8::AAAA", "2001:db8::aaaa"), ("0:0:0:0:0:0:0:0", "::"), ("0:0:0:0:0:0:0:1", "::1"),
        ("1:0:0:0:0:0:0:0", "1::"), ("1::8", "1::8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("ff01::101", "ff01::101"), ("::13.1.68.3", "::d01:4403"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
    func `an IPv6 address prints as RFC 5952 wants it`(_ text: String, _ canonical: String) throws {
        let address = try #require(Endpoint.address(text))
        #expect(address.description == canonical)
        #expect(Endpoint.address(canonical) == address)
    }

    @Test(arguments: [
        "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4:000001", "1.2.3.4: 1",
        "1.2.3:1",
        "1.2.3.4.5:1", "1.2.3.256:1", "01.2.3.4:1", "1.2..4:1", "0x7f.0.0.1:1", "localhost:1", "::1:1", "[::1]",
        "[::1]:",
        "[]:1", "[1.2.3.4]:1", "[fe80::1%eth0]:1", "[::1]1:1", "[1::2::3]:1", "[:::]:1", "[:1::]:1",
        "[1:2:3:4:5:6:7]:1",
        "[1:2:3:4:5:6:7:8:9]:1", "[1:2:3:4:5:6:7:8::]:1", "[12345::]:1", "[::g]:1", "[1:]:1", "[::1.2.3]:1",
        "[::1.2.3.4:5]:1", "[1:2:3:4:5:6:7:1.2.3.4]:1", "１.2.3.4:1",
    ])
    func `everything else is refused`(_ text: String) { #expect(Endpoint(text) == nil) }

    @Test func `a very long text is refused`() {
        #expect(Endpoint("1.2.3.4:1" + String(repeating: "0", count: 100_000)) == nil)
        #expect(Endpoint(String(repeating: "0", count: 100_000) + "1.2.3.4:1") == nil)
        #expect(Endpoint.address("::" + String(repeating: "0", count: 100_000)) == nil)
    }

    @Test func `a mapped address is an IPv4 address however it is built`() {
        let mapped = Endpoint(address: .v6(0, 0xFFFF_0A01_0203), port: 9)
        #expect(mapped == Endpoint(address: .v4(0x0A01_0203), port: 9))
        #expect(Endpoint.address("::ffff:10.1.2.3") == .v4(0x0A01_0203))
    }

    @Test(arguments: [
        ("127.0.0.1:1", true, true, false), ("127.255.0.9:1", true, true, false), ("10.0.0.1:1", true, false, false),
        ("10.0.0.1:0", false, false, false), ("0.0.0.0:1", false, false, true), ("0.1.2.3:1", false, false, false),
        ("224.0.0.1:1", false, false, false), ("255.255.255.255:1", false, false, false),
        ("223.255.255.255:1", true, false, false),
        ("[::1]:1", true, true, false), ("[::]:1", false, false, true), ("[ff02::1]:1", false, false, false),
        ("[fe80::1]:1", true, false, false),
    ])
    func `kinds of addresses`(_ text: String, _ isUnicast: Bool, _ isLoopback: Bool, _ isUnspecified: Bool) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.isUnicast == isUnicast)
        #expect(endpoint.isLoopback == isLoopback)
        #expect(endpoint.isUnspecified == isUnspecified)
    }

    @Test func `loopback`() { #expect(Endpoint.loopback(50_000).description == "127.0.0.1:50000") }
}
