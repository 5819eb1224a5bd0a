// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Network
import Testing

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("50001", "[::]:50001"), ("0", "[::]:0"), ("65535", "[::]:65535"), ("127.0.0.1:50001", "127.0.0.1:50001"),
        ("0.0.0.0:50001", "0.0.0.0:50001"), ("[::]:50001", "[::]:50001"), ("[::1]:0", "[::1]:0"),
        ("[::ffff:127.0.0.1]:5", "127.0.0.1:5"),
    ])
    func `its three forms are read`(text: String, meaning: String) throws {
        #expect("\(try #require(ListenAddress(text)))" == meaning)
    }

    @Test func `without an address it is all of them, of both families`() {
        #expect(ListenAddress("50001") == ListenAddress(port: 50_001))
        #expect(ListenAddress("[::]:50001") == ListenAddress(port: 50_001))
        #expect(ListenAddress("0.0.0.0:50001") == ListenAddress(address: .v4(0), port: 50_001))
    }

    @Test(arguments: [
        "", " ", "-1", "+5", "65536", "5x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":50001", "::1:5", "[::1]",
        "localhost:5", "[fe80::1%eth0]:5", "٣",
    ])
    func `anything else is none`(text: String) { #expect(ListenAddress(text) == nil) }
}

@Suite(.timeLimit(.minutes(1))) struct HostResolverTests {
    @Test(arguments: [
        ("127.0.0.1:50001", "127.0.0.1:50001"), ("127.0.0.1", "127.0.0.1:50000"), ("[::1]:9", "[::1]:9"),
        ("::1", "[::1]:50000"), ("[2001:db8::1]", "[2001:db8::1]:50000"), ("[::ffff:192.0.2.1]:9", "192.0.2.1:9"),
    ])
    func `literal addresses are taken as they are`(text: String, meaning: String) async throws {
        #expect("\(try await HostResolver.resolve(text, defaultPort: 50_000))" == meaning)
    }

    @Test func `a name leads to one address of each family at most, a literal one to itself`() async throws {
        let all = try await HostResolver.resolveAll("localhost:50001", defaultPort: 50_000)
        #expect((1...2).contains(all.count) && all.allSatisfy { $0.isLoopback && $0.port == 50_001 })
        #expect(Set(all.map(\.isV6)).count == all.count)
        #expect(try await HostResolver.resolve("localhost:50001", defaultPort: 50_000) == all.first)
        #expect(try await HostResolver.resolveAll("[::1]", defaultPort: 9).map { "\($0)" } == ["[::1]:9"])
    }

    @Test(arguments: [
        ("example.org:5", "example.org:5"), ("example.org", "example.org:50000"), ("a_b-c.d.:65535", "a_b-c.d.:65535"),
        ("192.0.2.1", "192.0.2.1:50000"), ("[2001:db8::1]:9", "[2001:db8::1]:9"),
        ("2001:db8::1", "[2001:db8::1]:50000"),
    ])
    func `a server is told by its host and port`(text: String, meaning: String) {
        #expect(HostResolver.server(text, defaultPort: 50_000) == meaning)
    }

    @Test(arguments: [
        "", ":", ":5", "host:", "host:0", "host:99999", "host:+5", "foo bar:9", "a:b:c", "127.0.0.1:0", "300.1.1.1:5",
        "0.0.0.0:5", "224.0.0.1:5", "[::]:5", "[]:5", "-a:5", "a..b:5", "ü.example:5", "http://a:5", "a/b:5",
    ])
    func `what is no server is refused before it is looked for`(text: String) {
        #expect(HostResolver.server(text, defaultPort: 50_000) == nil)
    }

    @Test func `localhost leads to the loopback`() async throws {
        let endpoint = try await HostResolver.resolve("localhost:50001", defaultPort: 50_000)
        #expect(endpoint.isLoopback && endpoint.port == 50_001)
        #expect(try await HostResolver.resolve("localhost", defaultPort: 50_000).port == 50_000)
    }

    @Test(arguments: [
        "", ":", ":5", "localhost:", "localhost:0", "localhost:+5", "localhost:65536", "a:b:c", "127.0.0.1:0",
        "0.0.0.0:50000", "[::]:50000", "224.0.0.1:5", "[]", "no such name", "nonsense.invalid:5",
    ])
    func `nonsense is one sentence`(text: String) async throws {
        let error = await #expect(throws: NetworkError.self) {
            try await HostResolver.resolve(text, defaultPort: 50_000)
        }
        #expect(error?.description.hasSuffix(".") == true)
    }
}
