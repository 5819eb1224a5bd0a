// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Testing
import Wire

struct LeaseTests {
    private let identity = Identity()
    private let home = Endpoint.loopback(5000)

    private func token(_ index: inout IndexHarness, _ identity: Identity, _ home: Endpoint) throws -> [UInt8] {
        guard case .registered(_, let lease?)? = try index.register(identity, from: home) else { return [] }
        return lease.token
    }

    @Test func `a keepalive renews the lease by token`() throws {
        var index = IndexHarness()
        let token = try token(&index, identity, home)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token, nonce: "n"))
        for _ in 0..<4 {
            index.advance(.seconds(7199))
            #expect(try index.ask(keepalive, from: home) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))
        }
        index.advance(.seconds(7200))
        #expect(try index.ask(keepalive, from: home) == .unknown(boot: "1a2b3c4d", spreadSeconds: 2))
        #expect(index.snapshot().counters.keepalives == 4)
    }

    @Test func `a keepalive from another address takes a new registration`() throws {
        var index = IndexHarness()
        let token = try token(&index, identity, home)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
        #expect(try index.ask(keepalive, from: .loopback(5001)) == .moved(boot: "1a2b3c4d", seen: .loopback(5001)))
        #expect(try index.ask(keepalive, from: home) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))
    }

    @Test func `only the right token renews`() throws {
        var index = IndexHarness()
        let token = try token(&index, identity, home)
        let other = Identity()
        let wrong = [[], Array(token.dropLast()), token + [0], token.map { $0 ^ 1 }, [UInt8](repeating: 0, count: 16)]
        for token in wrong {
            let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
            #expect(try index.ask(keepalive, from: home) == .unknown(boot: "1a2b3c4d", spreadSeconds: 2))
        }
        let stranger = IndexRequest.keepalive(.init(peer: other.peer, token: token))
        #expect(try index.ask(stranger, from: home) == .unknown(boot: "1a2b3c4d", spreadSeconds: 2))
    }

    @Test func `where nothing is, nothing is swept`() {
        let index = IndexHarness()
        #expect(index.service.nextSweep(now: index.now) == index.now + .seconds(3600))
        let swept = index.service.sweep(now: index.now)
        #expect(swept.changes.isEmpty)
    }

    @Test func `an expired row is gone at once, and its memory soon`() throws {
        var index = IndexHarness()
        let token = try token(&index, identity, home)
        index.advance(.seconds(3600))
        _ = try index.ask(.keepalive(.init(peer: identity.peer, token: token)), from: home)
        index.advance(.seconds(3600))
        // The first deadline was overtaken by a renewal, so the row stays.
        #expect(index.sweep().isEmpty)
        #expect(index.service.nextSweep(now: index.now) <= index.now + .milliseconds(3_600_100))
        index.advance(.seconds(3600))
        #expect(index.snapshot().page.rows.isEmpty)
        #expect(index.snapshot().use.keyed == 1)
        #expect(index.sweep() == [.remove(identity.peer)])
        #expect(index.snapshot().use == RegistryUse())
    }

    @Test func `seed rows live for a day`() throws {
        var index = IndexHarness()
        guard case .registered(let uuid, _)? = try index.ask(.registration(.init(address: home)), from: home) else {
            Issue.record("refused")
            return
        }
        let query = IndexRequest.query(.init(text: "\(uuid)"))
        index.advance(.seconds(86_399))
        #expect(try index.ask(query, from: home) == .answer(address: home, text: "\(uuid)", record: nil))
        index.advance(.seconds(1))
        #expect(try index.ask(query, from: home) == .answer(address: nil, text: "\(uuid)", record: nil))
    }

    @Test(arguments: [2, 3, 4])
    func `the oldest seed row makes room at the bound`(count: Int) throws {
        var limits = IndexLimits()
        limits.seeds = 3
        var index = IndexHarness(limits: limits)
        var peers: [PeerID] = []
        for port in 0..<count {
            let address = Endpoint.loopback(UInt16(1000 + port))
            guard case .registered(let uuid, _)? = try index.ask(.registration(.init(address: address)), from: home)
            else {
                Issue.record("refused")
                return
            }
            peers.append(uuid)
            index.advance(.seconds(1))
        }
        let found = try peers.map { try index.ask(.query(.init(text: "\($0)")), from: home) }
        for (number, answer) in found.enumerated() {
            let gone = number < count - 3
            #expect((answer == .answer(address: nil, text: "\(peers[number])", record: nil)) == gone)
        }
        #expect(index.snapshot().use.seeds == min(3, count))
    }

    @Test(arguments: [2, 3, 4])
    func `a full table refuses new keys and renews known ones`(count: Int) throws {
        var limits = IndexLimits()
        limits.keyed = 3
        var index = IndexHarness(limits: limits)
        let identities = (0..<count).map { _ in Identity() }
        for (number, identity) in identities.enumerated() {
            let reply = try index.register(identity, from: .loopback(UInt16(1000 + number)))
            #expect((reply == .failed(reason: "full")) == (number >= 3))
        }
        let first = try #require(identities.first)
        guard case .registered? = try index.register(first, from: .loopback(1000)) else {
            Issue.record("a known key was refused")
            return
        }
        index.advance(.seconds(7201))
        guard case .registered? = try index.register(Identity(), from: home) else {
            Issue.record("expired rows did not make room")
            return
        }
    }
}
