// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Testing

@testable import Sessions

@Suite struct HandshakeTests {
    @Test func `a dial brings up one session on both sides, with each other's keys and one binding`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        #expect(client.ups.map(\.key) == [server.key])
        #expect(server.ups.map(\.key) == [client.key])
        #expect(client.ups.map(\.id) == [dialled])
        #expect(!accepted.isDialled)
        #expect(client.ups.map(\.at) == [server.endpoint])
        #expect(server.ups.map(\.at) == [client.endpoint])
        #expect(client.ups[0].binding == server.ups[0].binding)
        #expect(client.ups[0].binding.count == 32)
    }

    @Test func `two sessions of the same pair have different bindings`() throws {
        let net = Net()
        let (client, server, _, _) = try #require(net.pair())
        net.perform(client, [.dial(SessionID(4), key: server.key, at: [server.endpoint])])
        #expect(net.run(for: .seconds(5)) { client.ups.count == 2 && server.ups.count == 2 })
        #expect(Set(client.ups.map(\.binding)).count == 2)
        #expect(Set(client.ups.map(\.binding)) == Set(server.ups.map(\.binding)))
    }

    @Test func `frames go both ways`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        // A server may speak first; its words wait until the client has opened the stream.
        net.perform(server, [.send(accepted, frames: [[9, 9]])])
        net.perform(client, [.send(dialled, frames: [[1], [2, 3]])])
        #expect(net.run(for: .seconds(1)) { server.frames.count == 2 && client.frames.count == 1 })
        #expect(server.frames == [[1], [2, 3]])
        #expect(client.frames == [[9, 9]])
    }
}
