// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Network
import Reactor
import Support
import Testing
import Wire

extension Endpoint {
    fileprivate init(literal: String) throws { self = try #require(Endpoint(literal)) }
}

@Suite(.timeLimit(.minutes(1))) struct DatagramPortTests {
    private let thread: LoopThread

    init() throws { thread = try LoopThread() }

    private func open(_ text: String, reports: Bool = true) throws -> DatagramPort {
        try DatagramPort(try #require(ListenAddress(text)), reportsUnreachable: reports)
    }

    private func listen(_ port: DatagramPort) async -> Inbox<DatagramEvent> {
        let inbox = Inbox<DatagramEvent>()
        await thread.run { port.receive(on: $0) { inbox.put($0) } }
        return inbox
    }

    private func serve(
        _ server: DatagramPort, on loop: PollExecutor, _ respond: @escaping @Sendable ([UInt8]) -> [UInt8]?
    ) {
        server.serve(on: loop) { batch in
            for index in 0..<batch.count {
                let bytes = batch.withBytes(of: index) { bytes in bytes.indices.map { bytes[$0] } }
                if let answer = bytes.flatMap(respond) { batch.answer(index, with: answer) }
            }
        }
    }

    private func text(_ text: String, to endpoint: Endpoint) -> Datagram { Datagram(Array(text.utf8), endpoint) }

    @Test(arguments: ["127.0.0.1", "[::1]"])
    func `what one port sends the other gets, with where it came from`(host: String) async throws {
        let (one, other) = (try open("\(host):0"), try open("\(host):0"))
        let inbox = await listen(other)
        #expect(one.send([text("hello", to: other.local)]) == SendResult(taken: 1))
        #expect(await inbox.take(1) == [.received(text("hello", to: one.local))])
    }

    @Test func `a port for both families sees IPv4 as IPv4, and answers it`() async throws {
        let both = try open("0")
        let (four, six) = (try open("127.0.0.1:0"), try open("[::1]:0"))
        let inbox = await listen(both)
        #expect(both.local.isUnspecified && both.local.port != 0)
        _ = four.send([text("4", to: .loopback(both.local.port))])
        #expect(await inbox.take(1) == [.received(text("4", to: four.local))])
        _ = six.send([text("6", to: try Endpoint(literal: "[::1]:\(both.local.port)"))])
        #expect(await inbox.take(1) == [.received(text("6", to: six.local))])
        let answers = await listen(four)
        #expect(both.send([text("back", to: four.local)]).taken == 1)
        #expect(await answers.take(1) == [.received(text("back", to: .loopback(both.local.port)))])
    }

    @Test func `a thousand datagrams in one call arrive in order`() async throws {
        let (one, other) = (try open("127.0.0.1:0"), try open("127.0.0.1:0"))
        let inbox = await listen(other)
        let datagrams = (0..<1000).map { text("\($0)", to: other.local) }
        // A burst may be more than the receive buffer of a machine without privileges holds: in pieces.
        for piece in stride(from: 0, to: 1000, by: 100) {
            let result = one.send(Array(datagrams[piece..<piece + 100]))
            #expect(result == SendResult(taken: 100))
            let expected = datagrams[piece..<piece + 100].map { DatagramEvent.received(Datagram($0.bytes, one.local)) }
            #expect(await inbox.take(100) == expected)
        }
        #expect(other.receiveDrops == 0)
    }

    @Test func `more than one batch is written by one call`() async throws {
        let (one, other) = (try open("127.0.0.1:0"), try open("127.0.0.1:0"))
        let inbox = await listen(other)
        #expect(one.send((0..<150).map { text("\($0)", to: other.local) }) == SendResult(taken: 150))
        #expect(await inbox.take(150).count == 150)
    }

    @Test(arguments: ["127.0.0.1", "0"])
    func `a closed port is reported, and sending to others goes on`(host: String) async throws {
        let one = try open(host == "0" ? "0" : "\(host):0")
        let other = try open("127.0.0.1:0")
        let (reports, inbox) = (await listen(one), await listen(other))
        let closed = Endpoint.loopback(try DatagramSocket.freePort())
        #expect(one.send([text("nobody", to: closed)]).taken == 1)
        #expect(await reports.take(1) == [.unreachable(closed)])
        for number in 0..<20 {
            #expect(one.send([text("nobody", to: closed)]) == SendResult(taken: 1))
            #expect(one.send([text("\(number)", to: other.local)]) == SendResult(taken: 1))
        }
        let texts = await inbox.take(20).map { event in
            if case .received(let datagram) = event { String(decoding: datagram.bytes, as: UTF8.self) } else { "?" }
        }
        #expect(texts == (0..<20).map { "\($0)" })
    }

    @Test func `a datagram longer than any of ours is not received, and not sent`() async throws {
        let other = try open("127.0.0.1:0")
        let inbox = await listen(other)
        let raw = try DatagramSocket()
        try raw.send([UInt8](repeating: 1, count: WireLimits.receivedDatagram + 1), to: other.local.port)
        try raw.send([UInt8](repeating: 2, count: WireLimits.receivedDatagram), to: other.local.port)
        try raw.send([], to: other.local.port)
        let first = await inbox.take(2)
        #expect(
            first == [
                .received(Datagram([UInt8](repeating: 2, count: WireLimits.receivedDatagram), .loopback(raw.port))),
                .received(Datagram([], .loopback(raw.port))),
            ])
        let one = try open("127.0.0.1:0")
        let long = Datagram([UInt8](repeating: 3, count: WireLimits.receivedDatagram + 1), other.local)
        let result = one.send([text("before", to: other.local), long, text("after", to: other.local)])
        #expect(result.taken == 1 && result.failure != nil)
        #expect(await inbox.take(1) == [.received(text("before", to: one.local))])
    }

    @Test func `a destination that can't be sent to is a failure in words, after those before it`() throws {
        let (one, other) = (try open("127.0.0.1:0"), try open("127.0.0.1:0"))
        let result = one.send([
            text("a", to: other.local), text("b", to: try Endpoint(literal: "255.255.255.255:9")),
            text("c", to: other.local),
        ])
        #expect(result.taken == 1)
        #expect(result.failure?.isEmpty == false)
    }

    @Test(arguments: ["0", "0.0.0.0:0"])
    func `a server answers from the address that was asked`(listen: String) async throws {
        let server = try open(listen, reports: false)
        await thread.run { serve(server, on: $0) { Array("re: ".utf8) + $0 } }
        let client = try open("127.0.0.1:0")
        let inbox = await self.listen(client)
        for host in ["127.0.0.2", "127.0.0.1", "127.1.2.3"] {
            let asked = try Endpoint(literal: "\(host):\(server.local.port)")
            _ = client.send([text("q", to: asked)])
            #expect(await inbox.take(1) == [.received(text("re: q", to: asked))])
        }
    }

    @Test func `silence is an answer, and a stopped server gives none`() async throws {
        let server = try open("127.0.0.1:0", reports: false)
        await thread.run { loop in
            serve(server, on: loop) { $0 == Array("stop".utf8) ? nil : $0 }
        }
        let client = try open("127.0.0.1:0")
        let inbox = await listen(client)
        _ = client.send([text("stop", to: server.local), text("go", to: server.local)])
        #expect(await inbox.take(1) == [.received(text("go", to: server.local))])
        await thread.run { server.stop(on: $0) }
    }

    @Test func `a taken port is told in one sentence with a way out`() throws {
        let first = try open("127.0.0.1:0")
        let error = #expect(throws: NetworkError.self) { try open("127.0.0.1:\(first.local.port)") }
        #expect(error?.code == EADDRINUSE)
        let sentence = try #require(error?.description)
        #expect(sentence.contains("\(first.local.port)") && sentence.contains("--listen") && sentence.hasSuffix("."))
        let foreign = #expect(throws: NetworkError.self) { try open("192.0.2.1:0") }
        #expect(foreign?.description.contains("no address of this machine") == true)
    }
}
