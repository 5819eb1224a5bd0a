// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
@testable import Network
import Reactor
import Support
import Testing

@Suite(.timeLimit(.minutes(1))) struct HTTPRequestTests {
    @Test(arguments: [
        ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /metrics"),
        ("GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\nAccept: */*\r\n\r\nGET / HTTP/1.1", "GET /metrics"),
        ("\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", "GET /metrics"), ("GET / HTTP/1.0\n\n", "GET /"),
        ("GET http://host:9100/metrics HTTP/1.1\r\nHost: host\r\n\r\n", "GET /metrics"),
        ("POST /metrics HTTP/1.1\r\nHost:\r\n\r\n", "POST /metrics"),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\n", "more"), ("", "more"), ("G", "more"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "malformed"), ("GET /metrics\r\n\r\n", "malformed"),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "malformed"),
        ("GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "malformed"),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed"),
        ("GET / HTTP/2\r\n\r\n", "version"), ("\u{16}\u{3}\u{1}\n", "malformed"),
    ])
    func `a head is read, waited for or refused`(text: String, expected: String) {
        let seen: String
        do throws(HTTPRequest.Fault) {
            seen = try HTTPRequest(head: Array(text.utf8)).map { "\($0.method) \($0.path)" } ?? "more"
        } catch {
            seen = "\(error)"
        }
        #expect(seen == expected)
    }

    @Test func `a head may be as long as the limit, and no longer`() throws {
        let start = "GET / HTTP/1.0\r\nX: "
        let rest = HTTPRequest.limit - start.utf8.count - 4
        let fitting = Array((start + String(repeating: "x", count: rest) + "\r\n\r\n").utf8)
        #expect(try HTTPRequest(head: fitting) != nil)
        let long = Array((start + String(repeating: "x", count: rest + 1) + "\r\n\r\n").utf8)
        #expect(throws: HTTPRequest.Fault.tooLarge) { try HTTPRequest(head: long) }
    }

    @Test func `no bytes make it trap`() {
        var chance = SplitMix64(seed: 7)
        let sample = Array("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        for _ in 0..<20_000 {
            var bytes = sample
            for _ in 0..<Int(chance.next() % 4) {
                bytes[Int(chance.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: chance.next())
            }
            _ = try? HTTPRequest(head: Array(bytes.prefix(Int(chance.next() % 64))))
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct MetricsListenerTests {
    private let thread: LoopThread
    private let listener: MetricsListener
    private var port: UInt16 { listener.local.port }

    init() async throws {
        thread = try LoopThread()
        listener = try await thread.run { loop in
            try MetricsListener(ListenAddress(port: 0), loop: loop) { "up 1\n" }
        }
    }

    private func ask(_ text: String) throws -> String? {
        let socket = try StreamSocket(port: port)
        try socket.send(text)
        return try socket.readToEnd()
    }

    @Test func `the page is served, on loopback unless told otherwise`() throws {
        #expect(listener.local.isLoopback)
        let answer = try #require(try ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(
            answer == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                + "Content-Length: 5\r\nConnection: close\r\n\r\nup 1\n")
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"), ("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "405"), ("junk\r\n\r\n", "400"), ("\u{16}\u{3}\u{1}\0\n", "400"),
        ("GET /metrics HTTP/3\r\n\r\n", "505"), ("GET /" + String(repeating: "x", count: 5000), "431"),
    ])
    func `anything else is refused in one answer`(request: String, status: String) throws {
        let answer = try #require(try ask(request))
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
        #expect(answer.contains("\r\nAllow: GET\r\n") == (status == "405"))
    }

    @Test func `of requests sent together the first is answered, and nothing of the answer is lost`() throws {
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in 0..<50 {
            let answer = try ask(String(repeating: request, count: 300))
            #expect(answer?.hasPrefix("HTTP/1.1 200 ") == true && answer?.hasSuffix("up 1\n") == true)
        }
    }

    @Test func `a request may come byte by byte`() throws {
        let socket = try StreamSocket(port: port)
        for byte in "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".utf8 { try socket.send([byte]) }
        #expect(try socket.readToEnd()?.hasSuffix("up 1\n") == true)
    }

    @Test func `who is slow is closed when his time is over, and keeps nobody else from the page`() async throws {
        var slow: [StreamSocket] = []
        for _ in 0..<MetricsListener.connectionLimit {
            let socket = try StreamSocket(port: port)
            try socket.send("GET /metr")
            slow.append(socket)
        }
        // Known to the server once a further one is turned away.
        #expect(try ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?.isEmpty == true)
        let listener = listener
        let deadline = try #require(await thread.run { _ in listener.nextDeadline })
        await thread.run { _ in listener.closeLate(now: deadline - 1) }
        #expect(try ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?.isEmpty == true)
        await thread.run { _ in listener.closeLate(now: deadline + MetricsListener.patience) }
        for socket in slow { #expect(try socket.readToEnd() == "") }
        #expect(await thread.run { _ in listener.nextDeadline } == nil)
        #expect(try ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?.hasSuffix("up 1\n") == true)
    }

    @Test func `a taken port is told in one sentence`() async throws {
        let port = port
        let error = await #expect(throws: NetworkError.self) {
            try await thread.run { loop in _ = try MetricsListener(ListenAddress(port: port), loop: loop) { "" } }
        }
        #expect(error?.description.contains("\(port) for metrics is taken") == true)
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
