// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Twelve octets of chance by which an answer knows its question (RFC 8489, §5).
public struct ProbeTransaction: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt32
    public init(high: UInt64, low: UInt32) {
        self.high = high
        self.low = low
    }
    public init(using random: inout RandomSource) {
        self.init(high: random.next(), low: UInt32(truncatingIfNeeded: random.next() as UInt64))
    }
}

/// A question whether a route works, or the answer: 64 octets either way, so that nobody can be made to send more than
/// came.
///
///     octets
///     1   0x03
///     1   kind: 1 ping, 2 pong; of a pong 0x80 more when the ping came from where nothing had been sent to
///     8   reference: whose probes these are
///     12  transaction
///     1   family of the address that the pong saw the ping come from: 0 none, 4, 6
///     16  that address, IPv4 in the first four
///     2   its port
///     7   zero
///     16  MAC: the first half of HMAC-SHA256 over everything before it
public struct Probe: Equatable, Sendable {
    public enum Kind: UInt8, Sendable { case ping = 1, pong = 2 }

    public static let size = 64

    public var kind: Kind
    /// Before there is a session: chance that the dialler told the other side through an index server, or nobody. In a
    /// session: ``ProbeKey/reference``.
    public var reference: UInt64
    public var transaction: ProbeTransaction
    /// Of a pong: where the ping came from; `nil` for one through a relay.
    public var observed: Endpoint?
    /// Of a pong: nothing had been sent to there before, so that whoever answers is open to anybody.
    public var wasUnasked = false

    public init(
        _ kind: Kind, reference: UInt64, transaction: ProbeTransaction, observed: Endpoint? = nil,
        wasUnasked: Bool = false
    ) {
        self.kind = kind
        self.reference = reference
        self.transaction = transaction
        self.observed = observed
        self.wasUnasked = wasUnasked
    }
}
