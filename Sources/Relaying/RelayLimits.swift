// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How much a relay takes and passes on.
public struct RelayLimits: Sendable, Equatable {
    /// Octets a second that one pair may send, both directions together, on average.
    public var bytesPerSecond = 8_000
    /// And at once, after a pause.
    public var burst = 128 * 1024
    /// Octets a second of all pairs together.
    public var totalBytesPerSecond = 12_500_000
    /// Channels at a time; one makes room that is not in use, of a network that has more than a sixteenth if there is
    /// one.
    public var channels = 10_000
    /// Of those that one peer asked for; one of its own makes room.
    public var channelsPerPeer = 64
    /// A channel that nobody used for so long is forgotten.
    public var idle = Span.seconds(3600)

    public init() {}

    /// Of a peer that passes on for its contacts.
    public static let peer: RelayLimits = {
        var limits = RelayLimits()
        limits.totalBytesPerSecond = 64_000
        limits.channels = 32
        limits.channelsPerPeer = 8
        return limits
    }()

    /// Octets of a relayed datagram at most, the channel's number included.
    public static let datagram = 1400
}
