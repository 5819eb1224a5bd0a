// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQuic
internal import Identity
internal import Model
internal import PeerEngine

/// One QUIC connection: the only type that touches the C library. Not for two threads at a time.
final class QuicConnection {
    /// What a connection tells while it is fed; none of them may call it back.
    final class Events {
        var data: (_ stream: Int64, UnsafeBufferPointer<UInt8>, _ isLast: Bool) -> Void = { _, _, _ in }
        var streamClosed: (Int64) -> Void = { _ in }
        var idAdded: (ConnectionID) -> Void = { _ in }
        var idRemoved: (ConnectionID) -> Void = { _ in }
    }

    /// A failure in the C library's words, and what it means.
    struct Failure: Error, Equatable {
        let result: UInt32
        let end: SessionEnd
    }

    /// The ALPN name of this protocol and its version.
    static let protocolName = "parley/1"
    private static let exporterLabel = "EXPORTER-parley/session/1"

    /// The stream of frames: the first one that the client opens.
    static let chatStream: Int64 = 0

    let events = Events()
    private let handle: OpaquePointer
    private let identity: QuicIdentity

    /// A client of whoever holds `key`; `nil` without memory.
    init?(
        dial key: PeerKey, identity: QuicIdentity, limits: SessionLimits, now: Instant,
        protocolName: String = QuicConnection.protocolName
    ) {
        let events = events
        let handle = key.octets.withUnsafeBufferPointer { pinned in
            withConfiguration(identity, limits, events, now, protocolName, pinned: pinned.baseAddress) {
                $0.streams = 0
                return cq_conn_client(&$0)
            }
        }
        guard let handle else { return nil }
        self.handle = handle
        self.identity = identity
    }

    /// The server's side of what a first packet begins; `nil` for a packet that begins nothing.
    /// - Parameters:
    ///   - retrySecret: when it must answer a Retry.
    ///   - pinned: the only key that the client may hold; `nil` for any.
    init?(
        accept packet: UnsafeBufferPointer<UInt8>, from client: Endpoint, retrySecret: [UInt8]?,
        pinned: PeerKey? = nil, identity: QuicIdentity, limits: SessionLimits, now: Instant,
        protocolName: String = QuicConnection.protocolName
    ) {
        let events = events
        var address = cq_address(client)
        let lifetime = limits.retryLifetime.nanoseconds
        let handle = withOptionalOctets(pinned?.octets) { pinned in
            withOptionalOctets(retrySecret) { secret in
                withConfiguration(identity, limits, events, now, protocolName, pinned: pinned) {
                    cq_conn_server(&$0, packet.baseAddress, packet.count, &address, secret, lifetime)
                }
            }
        }
        guard let handle else { return nil }
        self.handle = handle
        self.identity = identity
    }

    deinit { cq_conn_free(handle) }

    // MARK: Feeding

    func read(_ packet: UnsafeBufferPointer<UInt8>, now: Instant) throws(Failure) {
        try check(cq_conn_read(handle, packet.baseAddress, packet.count, now.nanoseconds))
    }

    /// When `expire` and a round of writing are due; `nil` for never.
    var expiry: Instant? {
        let moment = cq_conn_expiry(handle)
        return moment == UInt64.max ? nil : Instant(nanoseconds: moment)
    }

    func expire(now: Instant) throws(Failure) {
        try check(cq_conn_expire(handle, now.nanoseconds))
    }

    /// Makes the next round of writing send again what waits for an acknowledgement, unless a timer of this side's own
    /// comes before: see the C header.
    func hurry(now: Instant) throws(Failure) {
        try check(cq_conn_hurry(handle, now.nanoseconds))
    }

    // MARK: Writing

    /// Writes packets until there is no more to say for now, or as much as may leave in one round.
    /// - Parameter mac: marks them as a dialler's.
    func write(now: Instant, mac: MAC1?, _ emit: ([UInt8]) -> Void) throws(Failure) {
        defer { cq_conn_wrote(handle, now.nanoseconds) }
        var room = max(cq_conn_quantum(handle), Int(CQ_PACKET_SIZE))
        while room > 0 {
            var result = CQ_OK
            let datagram = SessionDatagram.make(mac, capacity: Int(CQ_PACKET_SIZE)) { packet in
                var written = 0
                result = cq_conn_write(handle, packet.baseAddress, packet.count, &written, now.nanoseconds)
                return written
            }
            try check(result)
            guard let datagram else { return }
            emit(datagram)
            room -= datagram.count
        }
    }

    /// The datagram that tells the other side that this is over; `nil` when it can't be told.
    func farewell(_ code: SessionCloseCode, now: Instant, mac: MAC1?) -> [UInt8]? {
        SessionDatagram.make(mac, capacity: Int(CQ_PACKET_SIZE)) { packet in
            cq_conn_write_close(handle, packet.baseAddress, packet.count, code.rawValue, now.nanoseconds)
        }
    }

    /// The same for a failure of the transport; `nil` too when the other side needs not know.
    func farewell(_ failure: Failure, now: Instant, mac: MAC1?) -> [UInt8]? {
        SessionDatagram.make(mac, capacity: Int(CQ_PACKET_SIZE)) { packet in
            cq_conn_write_failure(
                handle, packet.baseAddress, packet.count, cq_result(failure.result), now.nanoseconds)
        }
    }

    // MARK: Streams

    /// A new bidirectional stream; `nil` when the other side allows no more.
    func openStream() -> Int64? {
        let stream = cq_conn_open_stream(handle)
        return stream < 0 ? nil : stream
    }

    /// Queues octets for a stream.
    /// - Returns: false for a stream that is over, or without memory.
    func send(_ bytes: [UInt8], on stream: Int64) -> Bool { cq_conn_send(handle, stream, bytes, bytes.count) }

    /// Octets that the other side has not acknowledged yet.
    var buffered: Int { cq_conn_buffered(handle) }

    /// Lets the other side send so many octets more.
    func consume(_ octets: Int, on stream: Int64) {
        if octets > 0 { cq_conn_consume(handle, stream, octets) }
    }

    /// Makes the next packet ask for a sign of life.
    func probe() { cq_conn_probe(handle) }

    // MARK: State

    /// Where packets to us are sent first.
    var id: ConnectionID {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(CQ_ID_SIZE)) { octets in
            octets.initialize(repeating: 0)
            guard let base = octets.baseAddress else { preconditionFailure("an allocation has an address") }
            cq_conn_id(handle, base)
            return ConnectionID(base)
        }
    }

    /// Whether both sides know that the handshake is done.
    var isConfirmed: Bool { cq_conn_is_confirmed(handle) }

    /// Who the other side proved to be; `nil` before the handshake is confirmed, and for a key that is none.
    var peerKey: PeerKey? {
        var octets = [UInt8](repeating: 0, count: Int(CQ_KEY_SIZE))
        return cq_conn_peer_key(handle, &octets) ? PeerKey(octets: octets) : nil
    }

    /// Octets that only the two ends know; `nil` before the handshake is confirmed.
    var binding: [UInt8]? {
        var octets = [UInt8](repeating: 0, count: Int(CQ_EXPORT_SIZE))
        return cq_conn_export(handle, QuicConnection.exporterLabel, &octets) ? octets : nil
    }

    /// Grows with every authentic packet that brings something new.
    var progress: UInt64 { cq_conn_progress(handle) }

    /// Since when an acknowledgement is due.
    var unansweredSince: Instant? {
        let moment = cq_conn_unanswered_since(handle)
        return moment == UInt64.max ? nil : Instant(nanoseconds: moment)
    }

    /// The last round trip that was measured; `nil` before there was one.
    var roundTrip: Span? {
        let span = cq_conn_round_trip(handle)
        return span == 0 ? nil : Span(nanoseconds: span)
    }

    // MARK: Failures

    private func check(_ result: cq_result) throws(Failure) {
        guard result != CQ_OK else { return }
        throw Failure(result: result.rawValue, end: end(of: result))
    }

    private func end(of result: cq_result) -> SessionEnd {
        switch result {
        case CQ_CLOSED_BY_PEER: closedByPeer
        case CQ_IDLE, CQ_HANDSHAKE_TIMEOUT, CQ_GONE: .pathDied
        case CQ_WRONG_KEY: .handshakeFailed("the other side holds another key")
        case CQ_TLS_FAILED: .handshakeFailed("the other side speaks another protocol, or the handshake was changed")
        case CQ_PROTOCOL:
            isConfirmed ? .protocolViolation("it broke QUIC") : .handshakeFailed("the handshake made no sense")
        default: .failed("QUIC failed")
        }
    }

    private var closedByPeer: SessionEnd {
        var isApplication = false
        let code = cq_conn_peer_error(handle, &isApplication)
        if isApplication, let known = SessionCloseCode(rawValue: code) { return .closedByPeer(known) }
        guard isConfirmed else { return .handshakeFailed("the other side refused it (QUIC error \(code))") }
        return .protocolViolation("it closed with the unknown code \(code)")
    }
}

extension cq_address {
    init(_ endpoint: Endpoint) {
        self.init()
        let (high, low): (UInt64, UInt64) =
            switch endpoint.address {
            case .v4(let bits): (0, 0xFFFF << 32 | UInt64(bits))
            case .v6(let high, let low): (high, low)
            }
        withUnsafeMutableBytes(of: &address) { octets in
            octets.storeBytes(of: high.bigEndian, as: UInt64.self)
            octets.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        port = endpoint.port
    }
}

private func withOptionalOctets<Result>(
    _ octets: [UInt8]?, _ body: (UnsafePointer<UInt8>?) -> Result
) -> Result {
    guard let octets else { return body(nil) }
    return octets.withUnsafeBufferPointer { body($0.baseAddress) }
}

private func withConfiguration(
    _ identity: QuicIdentity, _ limits: SessionLimits, _ events: QuicConnection.Events, _ now: Instant,
    _ protocolName: String, pinned: UnsafePointer<UInt8>?, _ body: (inout cq_config) -> OpaquePointer?
) -> OpaquePointer? {
    protocolName.withCString { name in
        var configuration = cq_config()
        configuration.identity = identity.handle
        configuration.pinned = pinned
        configuration.protocol = name
        configuration.keep_alive = limits.keepAlive.nanoseconds
        configuration.idle_timeout = limits.idle.nanoseconds
        configuration.handshake_timeout = limits.handshake.nanoseconds
        configuration.stream_window = UInt64(limits.window)
        // Of what comes out of order nobody is told, so it must not be more than waits to be consumed.
        configuration.connection_window = UInt64(limits.window)
        configuration.streams = UInt64(limits.streams)
        configuration.now = now.nanoseconds
        configuration.events = cEvents(events)
        return body(&configuration)
    }
}

/// The connection holds on to `events` for longer than the C library does.
private func cEvents(_ events: QuicConnection.Events) -> cq_events {
    cq_events(
        context: Unmanaged.passUnretained(events).toOpaque(),
        stream_data: { context, stream, bytes, count, isLast in
            receiver(context)?.data(stream, UnsafeBufferPointer(start: bytes, count: count), isLast)
        },
        stream_closed: { context, stream in receiver(context)?.streamClosed(stream) },
        id_added: { context, id in
            if let id { receiver(context)?.idAdded(ConnectionID(id)) }
        },
        id_removed: { context, id in
            if let id { receiver(context)?.idRemoved(ConnectionID(id)) }
        })
}

private func receiver(_ context: UnsafeMutableRawPointer?) -> QuicConnection.Events? {
    context.map { Unmanaged<QuicConnection.Events>.fromOpaque($0).takeUnretainedValue() }
}
