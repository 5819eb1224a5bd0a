// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Identity
import Model
import Network
import Queues
import Reactor
import Support
import Testing
import Wire

@testable import Tunnels

@Suite(.timeLimit(.minutes(1))) struct FaultTests {
    // MARK: What strangers send

    enum Nonsense: CaseIterable {
        case http, zeros, ones, ssh, halfHello

        var octets: [UInt8] {
            switch self {
            case .http: Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            case .zeros: [UInt8](repeating: 0, count: 100)
            case .ones: [UInt8](repeating: 0xFF, count: 20_000)
            case .ssh: Array("SSH-2.0-OpenSSH_9\r\n".utf8)
            // A ClientHello that says to be shorter than its fields.
            case .halfHello: [0x16, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0]
            }
        }
    }

    @Test(arguments: Nonsense.allCases)
    func `a caller that speaks no TLS is closed, and others are served`(nonsense: Nonsense) async throws {
        let server = try await Server(isEcho: true)
        let stranger = try Stranger(to: server.local)
        #expect(stranger.write(nonsense.octets))
        #expect(stranger.isClosed())
        #expect(await server.ended()?.hasPrefix("TLS failed: ") == true)
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
    }

    @Test(arguments: Nonsense.allCases)
    func `a server that speaks no TLS is given up`(nonsense: Nonsense) async throws {
        let stranger = try StrangerServer()
        let caller = try await Caller()
        caller.host.perform([.open(stranger.place, key: nil)])
        let accepted = try #require(stranger.accept())
        #expect(accepted.write(nonsense.octets))
        guard case .closed(stranger.place, let reason)? = await caller.events.next() else {
            Issue.record("it was opened")
            return
        }
        #expect(reason.hasPrefix("TLS failed: "))
    }

    /// A frame of no octets, one longer than any datagram, and both after a good one.
    static let badFrames: [[UInt8]] = [
        [0, 0], [0x08, 0x01], [0xFF, 0xFF], [0, 1, 9, 0, 0], [0, 1, 9, 0xFF, 0xFF, 1],
    ]

    @Test(arguments: badFrames)
    func `a caller whose frames are none is closed`(octets: [UInt8]) async throws {
        let server = try await Server()
        let stranger = try Stranger(to: server.local)
        #expect(stranger.shakeHands())
        #expect(await server.opened() != nil)
        #expect(stranger.write(octets))
        #expect(stranger.isClosed())
        #expect(await server.ended() == "the other side sent what is no datagram")
        if octets.count > 3 { #expect(await server.received.next() == [9]) }
    }

    @Test(arguments: badFrames)
    func `a server whose frames are none is given up`(octets: [UInt8]) async throws {
        let stranger = try StrangerServer()
        let caller = try await Caller()
        caller.host.perform([.open(stranger.place, key: nil)])
        let accepted = try #require(stranger.accept())
        #expect(accepted.shakeHands(as: Identity()))
        #expect(await caller.events.next() == .opened(stranger.place))
        #expect(accepted.write(octets))
        #expect(
            await caller.events.next()
                == .closed(stranger.place, reason: "the other side sent what is no datagram"))
    }

    @Test func `random octets in TLS end the connection or are datagrams, and never more`() async throws {
        var chance = SplitMix64(seed: 5)
        let server = try await Server()
        for _ in 0..<200 {
            let stranger = try Stranger(to: server.local)
            #expect(stranger.shakeHands())
            let octets = (0..<Int(chance.next() % 5000)).map { _ in UInt8(truncatingIfNeeded: chance.next() % 12) }
            _ = octets.isEmpty || stranger.write(octets)
            stranger.close()
            #expect(await server.opened() != nil)
            #expect(await server.ended() != nil)
        }
        #expect(await server.count == 0)
    }

    // MARK: Strangers that are slow

    @Test func `a handshake that drips in is ended when its time is over`() async throws {
        var limits = TunnelLimits()
        limits.handshake = .milliseconds(300)
        let server = try await Server(limits: limits)
        let began = Instant.now
        let stranger = try Stranger(to: server.local)
        // A record whose length is never reached: an octet each time nothing came back.
        #expect(stranger.write([0x16, 3, 1, 2, 0]))
        while !stranger.isClosed(within: .milliseconds(20)), Instant.now.since(began) < .seconds(10) {
            _ = stranger.write([1])
        }
        #expect(await server.ended() == "connection timed out")
        let took = Instant.now.since(began)
        #expect(took >= .milliseconds(300) && took < .seconds(9), "what drips in would last ten seconds")
    }

    @Test func `who is silent, or drips, is forgotten; who sends datagrams stays`() async throws {
        var limits = TunnelLimits()
        // Long, so that a busy machine does not make the busy one silent.
        limits.idle = .seconds(2)
        let server = try await Server(limits: limits, isEcho: true)
        let busy = try await Caller()
        #expect(await busy.open(server.local) == .opened(server.local))
        #expect(await server.opened() != nil)
        let stranger = try Stranger(to: server.local)
        #expect(stranger.shakeHands())
        let number = try #require(await server.opened())
        let began = Instant.now
        // Half a frame, an octet for every two hundred echoes of the other: never a whole datagram.
        #expect(stranger.write([0x07, 0xFF]))
        var count = 0
        while await server.count == 2, Instant.now.since(began) < .seconds(20) {
            busy.send([[1]], to: server.local)
            _ = await busy.received.next()
            if count % 200 == 0 { _ = stranger.write([1]) }
            count += 1
        }
        #expect(await server.events.next() == .ended(number, "nothing came for 2 s"))
        #expect(await server.count == 1)
    }

    @Test func `nothing that a caller leaves undone keeps the loop awake`() async throws {
        var limits = TunnelLimits()
        (limits.handshake, limits.idle) = (.seconds(2), .seconds(2))
        let server = try await Server(limits: limits)
        let turns = Lock(0)
        // One with a record begun, one open with a frame begun, one open that will take nothing more.
        let begun = try Stranger(to: server.local)
        #expect(begun.write([0x16, 3, 1, 2]))
        let framed = try Stranger(to: server.local)
        #expect(framed.shakeHands() && framed.write([0]))
        let stuffed = try Stranger(to: server.local)
        #expect(stuffed.shakeHands())
        _ = await server.opened()
        let number = try #require(await server.opened())
        for _ in 0..<200 { await server.send((0..<100).map { sample($0, 1400) }, to: number) }
        await server.thread.run { loop in loop.onTurn { turns.withLock { $0 += 1 } } }
        for _ in 0..<3 { #expect(await server.ended() != nil) }
        #expect(turns.withLock { $0 } < 30)
    }

    // MARK: Backpressure

    @Test func `a reader that stops costs a bounded buffer; whole datagrams are lost, and later ones come`()
        async throws
    {
        let server = try await Server()
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        let number = try #require(await server.opened())
        let standstill = Standstill(of: caller.thread)
        let total = 40_000
        for first in stride(from: 0, to: total, by: 100) {
            await server.send((first..<first + 100).map { sample($0, 1400) }, to: number)
        }
        let waiting = await server.thread.run { [listener = server.listener] _ in listener.waiting(for: number) }
        #expect((1...TunnelLimits().buffered).contains(waiting))
        await standstill.end()
        // The last one comes after all that were kept, once there is room.
        var indices: [Int] = []
        while indices.last != total {
            await server.send([sample(total, 1400)], to: number)
            let datagram = try #require(await caller.received.next())
            indices.append(index(of: datagram.bytes))
        }
        let kept = indices.filter { $0 < total }
        #expect(kept == kept.sorted() && Set(kept).count == kept.count)
        #expect(kept.count < total / 2)
    }

    @Test func `a server that stops reading costs the client a bounded buffer`() async throws {
        let server = try await Server()
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        let standstill = Standstill(of: server.thread)
        let total = 40_000
        for first in stride(from: 0, to: total, by: 100) {
            caller.send((first..<first + 100).map { sample($0, 1400) }, to: server.local)
        }
        let place = server.local
        let waiting = await caller.thread.run { [host = caller.host] _ in host.waiting(for: place) }
        #expect((1...2 * TunnelLimits().buffered).contains(waiting))
        await standstill.end()
        caller.host.perform([.close(server.local)])
        _ = await caller.events.next()
        #expect(caller.host.dropped > total / 2)
    }

    // MARK: Many

    @Test func `a thousand connections that come and go leave nothing behind`() async throws {
        var limits = TunnelLimits()
        limits.handshake = .seconds(60)
        let server = try await Server(limits: limits)
        let before = openDescriptors()
        for round in 0..<1000 {
            let stranger = try Stranger(to: server.local)
            switch round % 5 {
            case 0: stranger.abort()
            case 1: stranger.close()
            case 2:
                #expect(stranger.write([0x16, 3, 1]))
                stranger.close()
            case 3:
                #expect(stranger.shakeHands())
                stranger.abort()
            default:
                #expect(stranger.shakeHands() && stranger.write([0, 4, 1]))
                stranger.close()
            }
        }
        // Let in last: all the others came before, those included that had left before they were let in.
        let last = try Stranger(to: server.local)
        #expect(last.shakeHands())
        let refused = await server.refused
        var ended = 0
        while ended + refused < 1000, let event = await server.events.next() {
            if case .ended = event { ended += 1 }
        }
        #expect(await server.count == 1)
        // Other tests open some at the same time.
        #expect(openDescriptors() < before + 200)
    }

    @Test func `one network has so many, all together so many, and who leaves makes room`() async throws {
        var limits = TunnelLimits()
        (limits.perNetwork, limits.connections, limits.limitsLoopback) = (3, 4, true)
        let server = try await Server(limits: limits)
        var inside: [Stranger] = []
        for _ in 0..<3 {
            let stranger = try Stranger(to: server.local)
            #expect(stranger.shakeHands())
            inside.append(stranger)
        }
        let fourth = try Stranger(to: server.local)
        #expect(fourth.isClosed(within: .seconds(5)))
        for _ in 0..<3 { #expect(await server.opened() != nil) }
        inside.removeFirst().close()
        #expect(await server.ended() != nil)
        let next = try Stranger(to: server.local)
        #expect(next.shakeHands())

        // This machine's own are not of one network unless told otherwise.
        limits.limitsLoopback = false
        let open = try await Server(limits: limits)
        var many: [Stranger] = []
        for _ in 0..<4 {
            let stranger = try Stranger(to: open.local)
            #expect(stranger.shakeHands())
            many.append(stranger)
        }
        let fifth = try Stranger(to: open.local)
        #expect(fifth.isClosed(within: .seconds(5)))
        #expect(await open.refused == 1)
        many.removeAll()
    }

    @Test func `without descriptors callers are turned away, and served again when there are some`() throws {
        let (place, mayRelease, ended) = (Lock(Endpoint.loopback(0)), Lock(false), Gate())
        let (isFull, loop) = (Gate(), try PollExecutor(name: "no descriptors"))
        onThread {
            unshare(.files)
            let listener = try? TunnelListener(at: .loopback(0), identity: nil, limits: TunnelLimits(), loop: loop)
            if let listener { place.withLock { $0 = listener.local } }
            var taken = takeAllDescriptors()
            loop.onTurn {
                guard mayRelease.withLock({ $0 }) else { return }
                taken.forEach { close($0) }
                taken = []
            }
            isFull.signal()
            loop.run()
            listener?.close()
            ended.signal()
        }
        isFull.wait()
        let server = place.withLock { $0 }
        for _ in 0..<20 { #expect(try Stranger(to: server).isClosed()) }
        mayRelease.withLock { $0 = true }
        loop.wake()
        // The first ones may come before there is room.
        while try !Stranger(to: server).shakeHands() {}
        loop.stop()
        ended.wait()
    }

    @Test func `without descriptors a client is told so`() async throws {
        let server = try await Server()
        let (events, ended, place) = (Lock<[TunnelEvent]>([]), Gate(), server.local)
        let loop = try PollExecutor(name: "no descriptors")
        onThread {
            unshare(.files)
            let host = try? TunnelHost(loop: loop, events: { event in events.withLock { $0.append(event) } }) { _ in }
            host?.open()
            var taken = takeAllDescriptors()
            host?.perform([.open(place, key: nil)])
            loop.onTurn {
                let count = events.withLock { $0.count }
                if count == 1, !taken.isEmpty {
                    taken.forEach { close($0) }
                    taken = []
                    host?.perform([.open(place, key: nil)])
                }
                if count == 2 { loop.stop() }
            }
            loop.run()
            host?.close()
            ended.signal()
        }
        ended.wait()
        #expect(events.withLock { $0 } == [.closed(place, reason: "too many open files"), .opened(place)])
    }

    // MARK: Networks that fail

    @Test func `a refusal, a reset and a silence are told apart`() async throws {
        var limits = TunnelLimits()
        limits.handshake = .seconds(2)
        let caller = try await Caller(limits: limits)
        let stranger = try StrangerServer()
        let silent = stranger.place
        #expect(await caller.open(silent) == .closed(silent, reason: "connection timed out"))
        _ = stranger.accept()
        caller.host.perform([.open(silent, key: nil)])
        stranger.accept()?.abort()
        let reset = await caller.events.next()
        #expect(reset == .closed(silent, reason: "connection reset by peer"))
        caller.host.perform([.open(silent, key: nil)])
        stranger.accept()?.closeAfterReading()
        #expect(await caller.events.next() == .closed(silent, reason: "the other side closed the connection"))
        let nobody = try StrangerServer().place
        #expect(await caller.open(nobody) == .closed(nobody, reason: "connection refused"))
    }

    @Test(.enabled(if: getuid() == 0, "needs a network of its own"))
    func `a connection that leads nowhere is noticed within 15 s by both sides when they use it`() throws {
        let (ends, ended, began) = (Lock<[String]>([]), Gate(), Lock(Instant.now))
        let loop = try PollExecutor(name: "island")
        onThread {
            unshare(.network)
            setLoopback(isUp: true)
            let listener = try? TunnelListener(at: .loopback(0), identity: nil, limits: TunnelLimits(), loop: loop)
            let end: @Sendable (String) -> Void = { reason in
                if ends.withLock({ ends in
                    ends.append(reason)
                    return ends.count == 2
                }) {
                    loop.stop()
                }
            }
            var host: TunnelHost?
            listener?.onOpen = { [weak listener] number, _ in
                setLoopback(isUp: false)
                began.withLock { $0 = .now }
                guard let listener else { return }
                listener.send([1], to: number)
                listener.flush(number)
                _ = host?.take([Datagram([1], listener.local)])
            }
            listener?.onEnd = { end($1) }
            host = try? TunnelHost(loop: loop, events: { if case .closed(_, let reason) = $0 { end(reason) } }) {
                _ in
            }
            host?.open()
            if let listener { host?.perform([.open(listener.local, key: nil)]) }
            loop.run()
            host?.close()
            listener?.close()
            ended.signal()
        }
        ended.wait()
        let took = Instant.now.since(began.withLock { $0 })
        #expect((.seconds(5)...Span.seconds(15)).contains(took))
        for reason in ends.withLock({ $0 }) {
            #expect(["connection timed out", "network is unreachable"].contains(reason))
        }
    }
}
