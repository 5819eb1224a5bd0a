// SPDX-License-Identifier: GPL-3.0-or-later
internal import CTls
internal import Network
internal import Queues

/// TLS over a connected socket that never blocks.
final class TLSStream {
    enum Outcome: Equatable {
        /// So many octets; 0 when a handshake is done.
        case done(Int)
        /// Again, once the socket can be read, or written.
        case wantsRead, wantsWrite
        /// The other side said that it sends no more, or its stream ended.
        case ended
        /// One clause.
        case failed(String)
    }

    /// What both sides must speak (ALPN, RFC 7301).
    static let application = "parley-index/1"
    /// Octets of a record (RFC 8446, §5.1).
    static let record = 1 << 14

    private let handle: OpaquePointer
    /// Outlives the stream.
    private let credentials: TLSCredentials

    init(
        _ descriptor: Int32, credentials: TLSCredentials, isServer: Bool, application: String = TLSStream.application
    ) {
        guard let handle = ct_stream_new(descriptor, credentials.handle, application, isServer) else {
            preconditionFailure("out of memory")
        }
        self.handle = handle
        self.credentials = credentials
    }

    deinit { ct_stream_free(handle) }

    func handshake() -> Outcome { outcome(Int(ct_handshake(handle))) }

    /// Calls `body` with what one record holds, where it lies.
    func read(_ body: (UnsafeRawBufferPointer) -> Void) -> Outcome {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.record) { buffer in
            guard let start = buffer.baseAddress else { return .wantsRead }
            let count = ct_read(handle, start, buffer.count)
            guard count != 0 else { return .ended }
            if count > 0 { body(UnsafeRawBufferPointer(start: start, count: min(count, buffer.count))) }
            return outcome(count)
        }
    }

    /// Writes one record. After "again" it wants the same octets.
    func write(_ octets: Swift.Span<UInt8>) -> Outcome {
        octets.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return .done(0) }
            return outcome(ct_write(handle, start, buffer.count))
        }
    }

    /// Says that no more will be sent.
    func finish() { ct_finish(handle) }

    /// The other side's key, which it has proved to hold; `nil` when it is no Ed25519 key.
    var peerKey: [UInt8]? {
        var key = [UInt8](repeating: 0, count: Int(CT_KEY_SIZE))
        return ct_peer_key(handle, &key) ? key : nil
    }

    private func outcome(_ code: Int) -> Outcome {
        switch code {
        case 0...: .done(code)
        case Int(CT_WANTS_READ): .wantsRead
        case Int(CT_WANTS_WRITE): .wantsWrite
        case Int(CT_CUT): .ended
        default: .failed(reason)
        }
    }

    private var reason: String {
        let code = ct_system_error(handle)
        if code != 0 { return systemReason(code) }
        let text = String(cString: ct_reason(handle))
        return "TLS failed: " + text.prefix(1).lowercased() + text.dropFirst().prefix { $0 != "." }
    }
}
