// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
public import Model

/// Datagrams that one call read, for as long as they are being answered.
public struct ReceivedBatch: ~Copyable, Sendable {
    // Sendable: it is only ever borrowed, by the handler on the loop that reads.

    /// At least 1.
    public let count: Int
    private let questions: Batch
    private let answers: Batch
    private let descriptor: Int32

    init(count: Int, _ questions: Batch, _ answers: Batch, descriptor: Int32) {
        self.count = count
        self.descriptor = descriptor
        self.questions = questions
        self.answers = answers
    }

    /// The bytes of one datagram, where they were received.
    /// - Returns: `nil` for a datagram that was longer than any of ours: the body is not called.
    @discardableResult
    public func withBytes<Result>(of index: Int, _ body: (Swift.Span<UInt8>) -> Result) -> Result? {
        let index = checked(index)
        guard cp_batch_truncated(questions.pointer, index) == 0 else { return nil }
        let bytes = UnsafeBufferPointer(
            start: cp_batch_bytes(questions.pointer, index), count: Int(cp_batch_length(questions.pointer, index)))
        return body(bytes.span)
    }

    /// Where a datagram came from.
    public func source(of index: Int) -> Endpoint {
        var source = cp_endpoint()
        cp_batch_source(questions.pointer, checked(index), &source)
        return Endpoint(source)
    }

    /// The way back to where a datagram came from, for an answer that has to wait.
    public func returnPath(of index: Int) -> ReturnPath {
        var path = cp_path()
        cp_batch_path(questions.pointer, checked(index), &path)
        return ReturnPath(path)
    }

    /// Answers one datagram, from the address that it was sent to. Once for each; longer answers than any of ours are
    /// lost.
    public func answer(_ index: Int, with bytes: [UInt8]) { answer(index, with: bytes.span) }

    /// Answers one datagram, from the address that it was sent to. Once for each; longer answers than any of ours are
    /// lost.
    public func answer(_ index: Int, with bytes: Swift.Span<UInt8>) {
        let index = checked(index)
        bytes.withUnsafeBufferPointer {
            _ = cp_batch_answer(answers.pointer, questions.pointer, index, $0.baseAddress, $0.count)
        }
    }

    /// Passes one datagram on as it is, instead of an answer to it. Once for each.
    public func forward(_ index: Int, by path: ReturnPath) {
        withBytes(of: index) { bytes in
            bytes.withUnsafeBufferPointer {
                var path = cp_path(path)
                _ = cp_batch_answer_later(answers.pointer, descriptor, $0.baseAddress, $0.count, &path)
            }
        }
    }

    /// The first octet of one datagram; `nil` for one that is empty or longer than any of ours.
    public func tag(of index: Int) -> UInt8? { withBytes(of: index) { $0.isEmpty ? nil : $0[0] } ?? nil }

    private func checked(_ index: Int) -> Int32 {
        precondition(index >= 0 && index < count, "no datagram \(index) in a batch of \(count)")
        return Int32(truncatingIfNeeded: index)
    }
}

/// The way back to where a datagram came from: an answer must leave from the address that was asked, or a NAT or a
/// firewall between the two won't know it.
public struct ReturnPath: Hashable, Sendable {
    /// Where the datagram came from.
    public let source: Endpoint
    /// The address that it was sent to; `nil` when the system did not tell.
    public let local: Endpoint.Address?
    /// Tells link-local addresses of several interfaces apart.
    public let interface: UInt32

    /// A way to somebody, from one of this machine's addresses or from whichever fits.
    public init(to source: Endpoint, from local: Endpoint.Address? = nil, interface: UInt32 = 0) {
        self.source = source
        self.local = local
        self.interface = interface
    }
}

/// An answer that had to wait for something.
public struct DeferredAnswer: Sendable {
    public var bytes: [UInt8]
    public var path: ReturnPath

    public init(_ bytes: [UInt8], _ path: ReturnPath) {
        self.bytes = bytes
        self.path = path
    }
}

extension ReturnPath {
    init(_ raw: cp_path) {
        source = Endpoint(raw.source)
        local =
            switch raw.local_family {
            case 4: .v4(UInt32(truncatingIfNeeded: raw.local_low))
            case 6: .v6(raw.local_high, raw.local_low)
            default: nil
            }
        interface = raw.interface
    }
}

extension cp_path {
    init(_ path: ReturnPath) {
        self.init()
        source = cp_endpoint(path.source)
        interface = path.interface
        switch path.local {
        case .v4(let bits)?: (local_family, local_low) = (4, UInt64(bits))
        case .v6(let high, let low)?: (local_family, local_high, local_low) = (6, high, low)
        case nil: local_family = 0
        }
    }
}
