// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Network
import Queues
import Support
import Testing
import Wire

@testable import Tunnels

@Suite(.timeLimit(.minutes(1))) struct TunnelTests {
    @Test func `whoever answers is taken without a pin, the right key with one, another never`() async throws {
        let identity = Identity()
        let server = try await Server(identity: identity)
        let caller = try await Caller()
        for key in [nil, identity.key.octets] {
            let event = await caller.open(server.local, key: key)
            #expect(event == .opened(server.local))
            try #require(caller.host.isOpen(server.local))
            caller.host.perform([.close(server.local)])
            #expect(await caller.events.next() == .closed(server.local, reason: "closed on this side"))
            #expect(!caller.host.isOpen(server.local))
        }
        #expect(
            await caller.open(server.local, key: Identity().key.octets)
                == .closed(server.local, reason: "the server holds another key than the one you pinned"))
    }

    @Test func `a server without a key of its own is taken by whom any key will do, and by nobody else`() async throws {
        let server = try await Server(identity: nil)
        let caller = try await Caller()
        #expect(
            await caller.open(server.local, key: Identity().key.octets)
                == .closed(server.local, reason: "the server holds another key than the one you pinned"))
        #expect(await caller.open(server.local) == .opened(server.local))
    }

    private static let others = ["parley-index/2", "parley-index", "parley-index/10", "http/1.1"]

    /// A web server at the port, or a browser: neither takes the other's octets for datagrams.
    @Test(arguments: others)
    func `who speaks another protocol gets no tunnel, nor does its server`(application: String) async throws {
        let server = try await Server(isEcho: true)
        let stranger = try Stranger(to: server.local)
        #expect(!stranger.shakeHands(speaking: application))
        #expect(stranger.isClosed())
        #expect(await server.ended() != nil, "it was never open")

        let impostor = try StrangerServer()
        let caller = try await Caller()
        caller.host.perform([.open(impostor.place, key: nil)])
        let accepted = try #require(impostor.accept())
        #expect(!accepted.shakeHands(as: Identity(), speaking: application))
        accepted.close()
        let isClosed = if case .closed(impostor.place, _)? = await caller.events.next() { true } else { false }
        #expect(isClosed)
    }

    @Test func `a hundred thousand datagrams come in order, both ways`() async throws {
        let server = try await Server(isEcho: true)
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        let (total, window) = (100_000, 200)
        for first in stride(from: 0, to: total, by: window) {
            caller.send((first..<first + window).map { sample($0, 4 + $0 % 1200) }, to: server.local)
            for (offset, datagram) in await caller.received.take(window).enumerated() {
                let index = first + offset
                guard datagram == Datagram(sample(index, 4 + index % 1200), server.local) else {
                    Issue.record("datagram \(index) is not the one that was sent")
                    return
                }
            }
        }
        #expect(await server.received.take(total).enumerated().allSatisfy { index(of: $1) == $0 })
    }

    @Test func `the largest datagram passes; what is empty or larger is dropped and counted`() async throws {
        let server = try await Server(isEcho: true)
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        let largest = sample(1, WireLimits.receivedDatagram)
        caller.send([[], sample(0, WireLimits.receivedDatagram + 1), [7], largest], to: server.local)
        #expect(await caller.received.take(2).map(\.bytes) == [[7], largest])
        #expect(await server.received.take(2) == [[7], largest])
        caller.host.perform([.close(server.local)])
        _ = await caller.events.next()
        #expect(caller.host.dropped == 2)
    }

    @Test func `a second wish for an open tunnel changes nothing`() async throws {
        let server = try await Server(isEcho: true)
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        caller.host.perform([.open(server.local, key: nil), .close(server.local)])
        #expect(await caller.events.next() == .closed(server.local, reason: "closed on this side"))
        #expect(await server.opened() != nil)
        #expect(await server.ended() == "the other side closed the connection")
        #expect(await server.count == 0)
    }

    @Test func `a tunnel that is closed while it is made says so once`() async throws {
        let server = try await Server()
        let caller = try await Caller()
        for _ in 0..<50 {
            caller.host.perform([.open(server.local, key: nil), .close(server.local)])
            #expect(await caller.events.next() == .closed(server.local, reason: "closed on this side"))
        }
        #expect(await caller.open(server.local) == .opened(server.local))
    }

    @Test func `a server that restarts is told of, and reached again when asked`() async throws {
        let identity = Identity()
        let server = try await Server(identity: identity, isEcho: true)
        let place = server.local
        let caller = try await Caller()
        #expect(await caller.open(place, key: identity.key.octets) == .opened(place))
        // In TLS 1.3 the client is done first; a server that closes with the last of the handshake unread resets.
        #expect(await server.opened() != nil)
        await server.close()
        #expect(
            await caller.events.next() == .closed(place, reason: "the other side closed the connection"))
        #expect(await caller.open(place) == .closed(place, reason: "connection refused"))
        let next = try await Server(at: place, identity: identity, isEcho: true)
        #expect(await caller.open(place, key: identity.key.octets) == .opened(place))
        caller.send([[1, 2, 3]], to: place)
        #expect(await caller.received.next() == Datagram([1, 2, 3], place))
        await next.close()
    }

    @Test func `what is for a server with a tunnel takes it, all else goes by UDP, and no order is lost`() async throws
    {
        let server = try await Server(isEcho: true)
        let caller = try await Caller()
        let port = RecordingPort()
        let uplink = Uplink(port, tunnels: caller.host)
        let elsewhere = Endpoint.loopback(9)
        let mixed = (0..<9).map { Datagram(sample($0, 4), $0 % 3 == 1 ? elsewhere : server.local) }

        #expect(uplink.send(mixed) == SendResult(taken: 9))
        #expect(port.sent.withLock { $0 } == mixed)
        port.sent.withLock { $0 = [] }

        #expect(await caller.open(server.local) == .opened(server.local))
        #expect(uplink.send(mixed) == SendResult(taken: 9))
        #expect(port.sent.withLock { $0.map { index(of: $0.bytes) } } == [1, 4, 7])
        #expect(await caller.received.take(6).map { index(of: $0.bytes) } == [0, 2, 3, 5, 6, 8])

        port.room.withLock { $0 = 1 }
        #expect(uplink.send(mixed) == SendResult(taken: 4))
        #expect(await caller.received.take(3).map { index(of: $0.bytes) } == [0, 2, 3])
    }

    @Test func `nothing that names anybody is on the wire in clear`() async throws {
        let server = try await Server(isEcho: true)
        let tap = try await Wiretap(to: server.local)
        let caller = try await Caller()
        #expect(await caller.open(tap.place) == .opened(tap.place))
        let peer = PeerID(high: 0x0123_4567_89AB_8DEF, low: 0x8123_4567_89AB_CDEF)
        let datagrams = (0..<100).map { Array("{\"uuid\":\"\(peer)\",\"n\":\($0)}".utf8) }
        caller.send(datagrams, to: tap.place)
        #expect(await caller.received.take(100).map(\.bytes) == datagrams)
        let heard = await tap.heard
        #expect(heard.count > 2 * datagrams.joined().count)
        // The tap hears what is said in clear: the name that both sides agree on.
        #expect(heard.holds(Array("parley-index/1".utf8)))
        #expect(!heard.holds(Array("\(peer)".utf8)))
        #expect(!heard.holds(Array("uuid".utf8)))
    }
}

/// Takes as many datagrams as it has room for.
private final class RecordingPort: DatagramTransport {
    let sent = Lock<[Datagram]>([])
    let room = Lock(Int.max)

    func send(_ datagrams: [Datagram]) -> SendResult {
        let taken = datagrams.prefix(room.withLock { $0 })
        room.withLock { $0 -= taken.count }
        sent.withLock { $0 += taken }
        return SendResult(taken: taken.count)
    }
}

extension [UInt8] {
    fileprivate func holds(_ part: [UInt8]) -> Bool {
        indices.dropLast(part.count - 1).contains { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}
