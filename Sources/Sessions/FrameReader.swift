// SPDX-License-Identifier: GPL-3.0-or-later
internal import Wire

/// Cuts a stream into frames: 4 octets of length, highest first, then so many octets, 1 to `WireLimits.frame`.
///
/// It holds what was appended and not yet taken: the stream's window bounds that.
struct FrameReader {
    enum Next: Equatable {
        case frame([UInt8])
        /// Not there yet.
        case incomplete
        /// A length that no frame has; nothing after it can be read.
        case invalid
    }

    static let headerSize = 4

    private var buffer: [UInt8] = []
    private var start = 0

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if start > 0, start >= buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    mutating func next() -> Next {
        let waiting = buffer.count - start
        guard waiting >= FrameReader.headerSize else { return .incomplete }
        let body = start + FrameReader.headerSize
        let length = buffer[start..<body].reduce(0) { $0 << 8 | Int($1) }
        guard (1...WireLimits.frame).contains(length) else { return .invalid }
        guard waiting - FrameReader.headerSize >= length else { return .incomplete }
        defer { start = body + length }
        return .frame(Array(buffer[body..<(body + length)]))
    }

    /// The octets that go before a frame; `nil` for one that can't be.
    static func header(of frame: [UInt8]) -> [UInt8]? {
        guard (1...WireLimits.frame).contains(frame.count) else { return nil }
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: frame.count >> $0) }
    }
}

/// Frames that were handed on and not yet dealt with.
struct UnconsumedFrames {
    /// Sizes without headers, the oldest first.
    private var sizes: [Int] = []
    private var start = 0
    /// Octets of the oldest that were dealt with already.
    private var partial = 0
    private(set) var bytes = 0

    var count: Int { sizes.count - start }

    mutating func add(_ size: Int) {
        sizes.append(size)
        bytes += size
    }

    /// Takes away from the oldest.
    /// - Returns: how many octets of the stream that frees, headers included; never more than came.
    mutating func consume(_ octets: Int) -> Int {
        let octets = min(max(0, octets), bytes)
        var freed = octets
        bytes -= octets
        partial += octets
        while start < sizes.count, partial >= sizes[start] {
            partial -= sizes[start]
            freed += FrameReader.headerSize
            start += 1
        }
        if start > 64, start >= sizes.count / 2 {
            sizes.removeFirst(start)
            start = 0
        }
        return freed
    }
}
