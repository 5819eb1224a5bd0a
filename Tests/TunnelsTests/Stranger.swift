// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Identity
import Model
import Network
import Support

@testable import Tunnels

/// One end of a TCP connection, with or without TLS, that does what a test wants and waits with a deadline.
final class Stranger {
    private(set) var descriptor: Int32
    private var tls: TLSStream?
    private let deadline = Instant.now + .seconds(20)

    init(to server: Endpoint) throws {
        descriptor = try TCP.connect(to: server)
        _ = isReady(POLLOUT)
        if let error = TCP.error(of: descriptor) { throw error }
    }

    init(accepted descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// - Returns: whether TLS came about.
    func shakeHands(as server: Identity? = nil, speaking application: String = TLSStream.application) -> Bool {
        let tls = TLSStream(
            descriptor, credentials: TLSCredentials(server), isServer: server != nil, application: application)
        self.tls = tls
        return finish { tls.handshake() } == .done(0)
    }

    func write(_ octets: [UInt8]) -> Bool {
        guard let tls else { return send(descriptor, octets, octets.count, Int32(MSG_NOSIGNAL)) == octets.count }
        return finish { tls.write(octets.span) } == .done(octets.count)
    }

    /// Whether the other side closes before it sends anything within TLS, or anything at all without.
    func isClosed(within limit: Span = .seconds(20)) -> Bool {
        if let tls {
            switch finish({ tls.read { _ in } }) {
            case .ended, .failed: return true
            case .done, .wantsRead, .wantsWrite: return false
            }
        }
        var octet: UInt8 = 0
        while isReady(POLLIN, min(deadline, .now + limit)) {
            if recv(descriptor, &octet, 1, Int32(MSG_DONTWAIT)) <= 0 { return true }
        }
        return false
    }

    func close() {
        guard descriptor >= 0 else { return }
        tls = nil
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Closes in peace, once something came.
    func closeAfterReading() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        if isReady(POLLIN) { _ = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)) }
        close()
    }

    /// Closes with a reset.
    func abort() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        close()
    }

    private func finish(_ step: () -> TLSStream.Outcome) -> TLSStream.Outcome {
        while true {
            let outcome = step()
            switch outcome {
            case .wantsRead: guard isReady(POLLIN) else { return outcome }
            case .wantsWrite: guard isReady(POLLOUT) else { return outcome }
            case .done, .ended, .failed: return outcome
            }
        }
    }

    private func isReady(_ events: Int32, _ deadline: Instant? = nil) -> Bool {
        let left = (deadline ?? self.deadline).since(.now).milliseconds
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, Int32(left.rounded(.up))) > 0
    }
}

/// A listening socket that a test accepts at.
final class StrangerServer {
    let place: Endpoint
    private let door: ListeningSocket

    init() throws { (door, place) = try TCP.listen(at: .loopback(0)) }
    deinit { door.close() }

    func accept() -> Stranger? {
        var request = pollfd(fd: door.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, 20_000) > 0 else { return nil }
        return door.accept().map { Stranger(accepted: $0) }
    }
}
