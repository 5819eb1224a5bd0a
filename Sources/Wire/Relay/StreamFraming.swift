// SPDX-License-Identifier: GPL-3.0-or-later

/// Datagrams in a stream, for networks that let no UDP through: two octets of length, the higher first, then the
/// datagram. What flows is what would have been on the UDP port, in both directions.
public struct StreamFraming: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    /// Octets before each datagram.
    public static let header = 2

    /// A datagram as it goes into the stream; `nil` for one that is empty or too long to be one.
    public static func frame(_ datagram: [UInt8]) -> [UInt8]? {
        guard (1...WireLimits.receivedDatagram).contains(datagram.count) else { return nil }
        return [UInt8(datagram.count >> 8), UInt8(datagram.count & 0xFF)] + datagram
    }

    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0, start >= buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// What may be kept between two readings.
    public var pending: Int { buffer.count - start }

    /// Something that is no stream of datagrams.
    public struct Fault: Error, Equatable, Sendable {}

    /// The next whole datagram; `nil` until more has come.
    public mutating func next() throws(Fault) -> [UInt8]? {
        guard pending >= StreamFraming.header else { return nil }
        let length = Int(buffer[start]) << 8 | Int(buffer[start + 1])
        guard (1...WireLimits.receivedDatagram).contains(length) else { throw Fault() }
        guard pending >= StreamFraming.header + length else { return nil }
        let first = start + StreamFraming.header
        start = first + length
        return Array(buffer[first..<start])
    }
}
