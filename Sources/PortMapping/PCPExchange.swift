// SPDX-License-Identifier: GPL-3.0-or-later
internal import CNatPMP  // its header brings socket(2) along
internal import Glibc
internal import Model
internal import Network

/// One question to the router by PCP (RFC 6887). Never blocks.
final class PCPExchange: MappingExchange {
    enum Question: Equatable {
        case announce
        case map(wish: Endpoint, lease: UInt32)
        case remove
    }

    /// The protocol would go on for ever; a router that has it answers in milliseconds.
    private static let limit = Span.seconds(2)
    /// Until the question is repeated; twice that the next time (RFC 6886, §3.1). RFC 6887's 3 s (§8.1.1) are beyond
    /// `limit`.
    private static let patience = Span.milliseconds(250)
    /// Datagrams read in one step: whoever sends more is read on in the next.
    private static let batch = 16
    /// A day, which is what a mapping is believed to last at most (§15).
    private static let longestLease: UInt32 = 86_400

    let descriptor: Int32
    private let request: PCPRequest
    private let deadline: Instant
    private var repeatAt: Instant
    private var pause = PCPExchange.patience
    private var random: RandomSource
    private(set) var epoch: (seconds: UInt32, at: Instant)?

    /// - Parameters:
    ///   - router: of the family whose port is to be opened.
    ///   - zone: the interface's number where the router's address is link-local.
    /// - Returns: `nil` when the router can't be written to from here, or by IPv6 only from an address that leads
    ///   nowhere.
    init?(
        _ question: Question, port: UInt16, nonce: PCP.Nonce, router: Endpoint.Address, zone: UInt32,
        random: RandomSource = .system, _ now: Instant
    ) {
        guard let (descriptor, own) = connectedSocket(to: Endpoint(address: router, port: PCP.port), zone: zone) else {
            return nil
        }
        self.descriptor = descriptor
        self.random = random
        (deadline, repeatAt) = (now + PCPExchange.limit, now)
        let nothing: Endpoint.Address = if case .v4 = router { .v4(0) } else { .v6(0, 0) }
        let (operation, lifetime): (PCP.Operation, UInt32) =
            switch question {
            case .announce: (.announce, 0)
            case .map(let wish, let lease): (.map(PCP.Mapping(nonce: nonce, port: port, external: wish)), lease)
            case .remove:
                (.map(PCP.Mapping(nonce: nonce, port: port, external: Endpoint(address: nothing, port: 0))), 0)
            }
        request = PCPRequest(operation: operation, lifetime: lifetime, client: own)
        ask(now)
    }

    deinit { close(descriptor) }

    func wake(_ now: Instant) -> Instant { min(deadline, repeatAt) }

    func step(_ now: Instant) -> MappingOutcome? {
        for _ in 0..<PCPExchange.batch {
            // One octet more than the longest answer: what fills it is too long.
            var bytes = [UInt8](repeating: 0, count: PCP.longest + 1)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count >= 0 else {
                // The router's kernel says that nobody listens there.
                if errno == ECONNREFUSED { return .failed("the router doesn't offer it") }
                break
            }
            if let answer = PCPAnswer(Array(bytes.prefix(count))), let outcome = take(answer, now) { return outcome }
        }
        guard now < deadline else { return .failed("no answer") }
        if now >= repeatAt { ask(now) }
        return nil
    }

    private func ask(_ now: Instant) {
        let bytes = request.encoded()
        // Whatever hinders it shows in `recv`, or in silence.
        _ = send(descriptor, bytes, bytes.count, 0)
        // A tenth more or less, as §8.1.1 has it, so that a network's machines don't ask in step.
        let tenth = pause.nanoseconds / 10
        repeatAt = now + Span(nanoseconds: pause.nanoseconds - tenth + random.next() % (2 * tenth + 1))
        pause = Span(nanoseconds: pause.nanoseconds * 2)
    }

    /// - Returns: `nil` for what answers another question.
    private func take(_ answer: PCPAnswer, _ now: Instant) -> MappingOutcome? {
        guard case .body(let body) = answer else { return .failed("the router speaks another version") }
        switch (request.operation, body.operation) {
        case (.announce, .announce):
            epoch = (body.epoch, now)
            // Whoever does not know this question has answered it, too.
            if body.result == .unknownOperation { return .known(nil) }
            return body.result.reason.map { .failed($0) } ?? .known(nil)
        case (.map(let asked), .map(let given)):
            guard given.nonce == asked.nonce, given.port == asked.port else { return nil }
            epoch = (body.epoch, now)
            if let reason = body.result.reason { return .failed(reason) }
            guard request.lifetime > 0 else { return .failed("removed") }
            guard !given.external.isUnspecified else { return .failed("the router itself has no connection") }
            guard given.external.isUnicast, body.lifetime > 0 else { return .failed("the router gave no port") }
            return .mapped(given.external, lease: .seconds(Int(min(body.lifetime, PCPExchange.longestLease))))
        default: return nil
        }
    }
}

/// A UDP socket that hears one endpoint alone, and our address towards it. Of IPv6 it is the one by which the Internet
/// knows us, though the router's be link-local: a mapping is for whoever asks (§8.1).
private func connectedSocket(to other: Endpoint, zone: UInt32) -> (descriptor: Int32, own: Endpoint.Address)? {
    let family = if case .v4 = other.address { AF_INET } else { AF_INET6 }
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    var outer: Endpoint.Address?
    if family == AF_INET6 {
        guard let address = addressTowardsInternet(), Endpoint(address: address, port: 1).isPublic else { return nil }
        outer = address
    }
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { return nil }
    let isBound = outer.map { SocketAddress(Endpoint(address: $0, port: 0), zone: zone).bind(descriptor) } ?? true
    guard isBound, SocketAddress(other, zone: zone).connect(descriptor),
        let own = SocketAddress(localOf: descriptor)
    else {
        close(descriptor)
        return nil
    }
    return (descriptor, own.endpoint.address)
}

/// Where packets of IPv6 for the Internet would leave from: the kernel looks for the route and sends nothing.
private func addressTowardsInternet() -> Endpoint.Address? {
    let scout = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard scout >= 0 else { return nil }
    defer { close(scout) }
    guard SocketAddress(Endpoint(address: documentation, port: PCP.port)).connect(scout) else { return nil }
    return SocketAddress(localOf: scout)?.endpoint.address
}

/// 2001:db8::1, of documentation (RFC 3849): on nobody's network.
private let documentation = Endpoint.Address.v6(0x2001_0DB8_0000_0000, 1)
