// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model
import Network
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:1", "203.0.113.7:65535", "255.255.255.255:0", "[2001:db8::1]:50000", "[::ffff:192.0.2.1]:9",
        "[0102:0304:0506:0708:090a:0b0c:0d0e:0f10]:258",
    ])
    func `an endpoint comes back as it went in`(text: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(SocketAddress(endpoint).endpoint == endpoint)
    }

    @Test(arguments: [("127.0.0.1", AF_INET), ("::1", AF_INET6)])
    func `a socket is bound and connected there, and tells so`(address: String, family: Int32) throws {
        let place = Endpoint(address: try #require(Endpoint.address(address)), port: 0)
        let (near, far) = (datagramSocket(family), datagramSocket(family))
        defer { [near, far].forEach { close($0) } }
        try #require(SocketAddress(place).bind(near))
        let bound = try #require(SocketAddress(localOf: near)).endpoint
        #expect(bound.address == place.address)
        #expect(bound.port > 0)
        #expect(SocketAddress(bound).connect(far))
        #expect(SocketAddress(localOf: far)?.endpoint.address == place.address)
    }

    @Test func `what is no socket of the Internet has no endpoint`() {
        let local = datagramSocket(AF_UNIX)
        defer { close(local) }
        #expect(SocketAddress(localOf: local) == nil)
        #expect(SocketAddress(localOf: -1) == nil)
    }

    private func datagramSocket(_ family: Int32) -> Int32 {
        socket(family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
}
