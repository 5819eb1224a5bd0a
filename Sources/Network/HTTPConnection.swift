// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Reactor

/// An HTTP response with a body of text.
struct HTTPResponse: Equatable {
    var status: Int
    var type = "text/plain; charset=utf-8"
    var body: String

    init(_ status: Int, type: String = "text/plain; charset=utf-8", body: String? = nil) {
        self.status = status
        self.type = type
        self.body = body ?? "\(status) \(Self.reason(status))\n"
    }

    var encoded: [UInt8] {
        let allowed = status == 405 ? "Allow: GET\r\n" : ""
        let head =
            "HTTP/1.1 \(status) \(Self.reason(status))\r\nContent-Type: \(type)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(allowed)Connection: close\r\n\r\n"
        return Array(head.utf8) + Array(body.utf8)
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 431: "Request Header Fields Too Large"
        case 505: "HTTP Version Not Supported"
        default: "Bad Request"
        }
    }
}

/// One request and its response over a connected socket, on a loop's thread.
final class HTTPConnection {
    /// When its time is over, in nanoseconds of `PollExecutor.now()`.
    let deadline: UInt64
    /// Bytes after the first request that are thrown away at most.
    private static let leftoverLimit = 64 * 1024

    var respond: (HTTPRequest) -> HTTPResponse = { _ in HTTPResponse(404) }
    /// There is nothing more to do: close it.
    var onEnd: () -> Void = {}

    private var descriptor: Int32
    private let loop: PollExecutor
    private var incoming: [UInt8] = []
    private var outgoing: ArraySlice<UInt8> = []
    private var hasAnswered = false
    private var leftover = 0

    init(_ descriptor: Int32, deadline: UInt64, loop: PollExecutor) {
        self.descriptor = descriptor
        self.deadline = deadline
        self.loop = loop
        loop.watch(descriptor) { [weak self] in self?.ready($0) }
    }

    func close() {
        guard descriptor >= 0 else { return }
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard descriptor >= 0, !readiness.isDisjoint(with: [.readable, .hangup, .error]) else { return }
        var buffer = [UInt8](repeating: 0, count: HTTPRequest.limit)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0 else {
            if count == 0 || (errno != EAGAIN && errno != EINTR) { onEnd() }
            return
        }
        if hasAnswered { skip(count) } else { take(buffer.prefix(count)) }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        incoming += bytes
        do throws(HTTPRequest.Fault) {
            guard let request = try HTTPRequest(head: incoming) else { return }
            answer(respond(request))
        } catch {
            answer(HTTPResponse(error.rawValue))
        }
    }

    /// A body, or further requests, which nobody promised to answer.
    private func skip(_ count: Int) {
        leftover += count
        if leftover > Self.leftoverLimit { onEnd() }
    }

    private func answer(_ response: HTTPResponse) {
        hasAnswered = true
        incoming = []
        outgoing = response.encoded[...]
        flush()
    }

    private func flush() {
        while !outgoing.isEmpty {
            let count = outgoing.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if count < 0, errno != EAGAIN, errno != EINTR { return onEnd() }
                return loop.watchWritable(descriptor, true)
            }
            outgoing = outgoing.dropFirst(count)
        }
        loop.watchWritable(descriptor, false)
        // The caller closes; doing so first, with bytes of his unread, would take the response from him (RFC 9112,
        // 9.6).
        if hasAnswered { shutdown(descriptor, Int32(SHUT_WR)) }
    }
}
