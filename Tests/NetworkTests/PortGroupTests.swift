// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
@testable import Network
import Queues
import Reactor
import Support
import Testing
import Wire

/// Several ports at one address, and answers that leave late.
@Suite(.timeLimit(.minutes(1))) struct PortGroupTests {
    private let thread: LoopThread

    init() throws { thread = try LoopThread() }

    private func address(_ text: String) throws -> ListenAddress { try #require(ListenAddress(text)) }

    @Test(arguments: ["127.0.0.1:0", "0", "[::1]:0", "0.0.0.0:0"])
    func `a group shares one port, and all of it is asked`(listen: String) async throws {
        let ports = try DatagramPort.group(try address(listen), count: 4)
        #expect(Set(ports.map(\.local)).count == 1)
        let counts = Lock([Int](repeating: 0, count: 4))
        await thread.run { loop in
            for (number, port) in ports.enumerated() {
                port.serve(on: loop) { batch in
                    counts.withLock { $0[number] += batch.count }
                    for index in 0..<batch.count { batch.answer(index, with: [UInt8(number)]) }
                }
            }
        }
        let family: DatagramSocket.Family = listen.hasPrefix("[::1]") ? .v6 : .v4
        for _ in 0..<200 {
            let socket = try DatagramSocket(family)
            try socket.send("x", to: ports[0].local.port)
            #expect(try socket.receive()?.count == 1)
        }
        #expect(counts.withLock { $0.allSatisfy { $0 > 10 } && $0.reduce(0, +) == 200 })
    }

    @Test(arguments: ["127.0.0.1", "0"])
    func `a port that another program shares is refused all the same`(host: String) throws {
        let held = try DatagramPort.group(try address("127.0.0.1:0"), count: 2)
        let port = held[0].local.port
        for count in [1, 3] {
            let error = #expect(throws: NetworkError.self) {
                try DatagramPort.group(try address(host == "0" ? "\(port)" : "\(host):\(port)"), count: count)
            }
            #expect(error?.code == EADDRINUSE)
            #expect(error?.description.contains("UDP port \(port) is taken by another program") == true)
        }
    }

    @Test(arguments: ["0", "0.0.0.0:0"])
    func `a late answer leaves from the address that was asked`(listen: String) async throws {
        let server = try DatagramPort(try address(listen), reportsUnreachable: false)
        let paths = Inbox<DeferredAnswer>()
        await thread.run { loop in
            server.serve(on: loop) { batch in
                for index in 0..<batch.count {
                    let bytes = batch.withBytes(of: index) { bytes in bytes.indices.map { bytes[$0] } } ?? []
                    paths.put([DeferredAnswer(bytes, batch.returnPath(of: index))])
                }
            }
        }
        let client = try DatagramPort(try address("127.0.0.1:0"), reportsUnreachable: false)
        let inbox = Inbox<DatagramEvent>()
        await thread.run { client.receive(on: $0) { inbox.put($0) } }
        let asked = try ["127.0.0.2", "127.0.0.1", "127.1.2.3"].map {
            try #require(Endpoint("\($0):\(server.local.port)"))
        }
        for endpoint in asked { _ = client.send([Datagram(Array("\(endpoint)".utf8), endpoint)]) }
        let waiting = await paths.take(3)
        #expect(waiting.allSatisfy { $0.path.source == client.local })
        server.send(waiting.reversed())
        let answers = await inbox.take(3)
        #expect(answers == asked.reversed().map { .received(Datagram(Array("\($0)".utf8), $0)) })
        #expect(server.sendErrors == 0)
    }

    @Test func `a late answer finds its way over IPv6`() async throws {
        let server = try DatagramPort(try address("0"), reportsUnreachable: false)
        let paths = Inbox<ReturnPath>()
        await thread.run { loop in
            server.serve(on: loop) { batch in
                for index in 0..<batch.count { paths.put([batch.returnPath(of: index)]) }
            }
        }
        let socket = try DatagramSocket(.v6)
        try socket.send("x", to: server.local.port)
        let path = try #require(await paths.take(1).first)
        server.send((0..<150).map { DeferredAnswer([UInt8($0)], path) })
        for number in 0..<150 { #expect(try socket.receive() == [UInt8(number)]) }
    }

    @Test func `an answer that the system refuses costs nobody else his`() async throws {
        let server = try DatagramPort(try address("127.0.0.1:0"), reportsUnreachable: false)
        let socket = try DatagramSocket()
        let path = ReturnPath(to: .loopback(socket.port))
        let broadcast = Endpoint(address: .v4(.max), port: 9)
        server.send([
            DeferredAnswer([1], path), DeferredAnswer([UInt8](repeating: 0, count: 100_000), path),
            DeferredAnswer([2], path), DeferredAnswer([], ReturnPath(to: broadcast)),
            DeferredAnswer([3], path),
        ])
        for number: UInt8 in 1...3 { #expect(try socket.receive() == [number]) }
        #expect(server.sendErrors == 2)
    }

    @Test func `what the loop has to do meanwhile gets its turn under load`() async throws {
        let server = try DatagramPort(try address("127.0.0.1:0"), reportsUnreachable: false)
        await thread.run { loop in server.serve(on: loop) { _ in } }
        let isDone = Lock(false)
        let flood = Task.detached {
            let socket = try DatagramSocket()
            while !isDone.withLock({ $0 }) { try socket.send("junk", to: server.local.port) }
        }
        for _ in 0..<200 { await thread.run { _ in } }
        isDone.withLock { $0 = true }
        try await flood.value
    }

    @Test func `truncated datagrams are not shown, and the rest of the batch is`() async throws {
        let server = try DatagramPort(try address("127.0.0.1:0"), reportsUnreachable: false)
        await thread.run { loop in
            server.serve(on: loop) { batch in
                for index in 0..<batch.count {
                    batch.withBytes(of: index) { bytes in batch.answer(index, with: bytes) }
                }
            }
        }
        let socket = try DatagramSocket()
        try socket.send([UInt8](repeating: 1, count: 9000), to: server.local.port)
        try socket.send("after", to: server.local.port)
        #expect(try socket.receive() == Array("after".utf8))
    }
}
