// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// What tells the kinds of datagrams on the one UDP port apart: their first octet. JSON begins with `{`.
public enum DatagramTag {
    /// `0x01 ‖ QUIC packet`.
    public static let session: UInt8 = 0x01
    /// `0x02 ‖ mac1 ‖ QUIC packet`.
    public static let dial: UInt8 = 0x02
    /// A probe of a path: 64 octets.
    public static let probe: UInt8 = 0x03
    /// `0x04 ‖ channel ‖ one of the above`: to a relay, or from it.
    public static let relay: UInt8 = 0x04
}

/// A way between two peers through one relay, by the number that the relay gave it: 64 bits of chance, known to the
/// relay and the two alone.
public struct RelayChannel: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }

    /// Octets of it on the wire.
    public static let size = 8

    /// Reads what `text` wrote.
    public init?(text: String) {
        guard text.utf8.count <= 16, let octets = Base64URL.decode(text), octets.count == RelayChannel.size else {
            return nil
        }
        number = octets.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// In JSON: eight octets, the highest first, as base64url.
    public var text: String { Base64URL.encode(octets) }
    public var octets: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) } }
    public var description: String { text }
}

/// A datagram that a relay passes on without understanding it.
///
///     0x04 ‖ channel (8 octets, the highest first) ‖ datagram of a session or a probe
///
/// The same octets travel on both legs: the relay changes nothing but the addresses.
public enum RelayDatagram {
    /// Octets before the datagram inside.
    public static let overhead = 1 + RelayChannel.size

    public static func wrap(_ datagram: [UInt8], in channel: RelayChannel) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(overhead + datagram.count)
        bytes.append(DatagramTag.relay)
        bytes += channel.octets
        bytes += datagram
        return bytes
    }

    /// The channel, read where it lies; `nil` for what is no relayed datagram, or holds nothing.
    public static func channel(of bytes: Swift.Span<UInt8>) -> RelayChannel? {
        guard bytes.count > overhead, bytes[0] == DatagramTag.relay else { return nil }
        var number: UInt64 = 0
        for index in 1..<overhead { number = number << 8 | UInt64(bytes[index]) }
        return RelayChannel(number)
    }

    /// The channel and the datagram inside; `nil` as above.
    public static func unwrap(_ bytes: [UInt8]) -> (channel: RelayChannel, datagram: [UInt8])? {
        channel(of: bytes.span).map { ($0, Array(bytes[overhead...])) }
    }
}
