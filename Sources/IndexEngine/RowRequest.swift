// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// The column that orders registrations.
public enum RowSort: String, Sendable, CaseIterable {
    case peer, kind, address, age, expires
}

/// Which registrations a display wants to see: no others cost anything.
public struct RowRequest: Hashable, Sendable {
    /// A row that stays where it is on the screen while others move around it.
    public struct Anchor: Hashable, Sendable {
        public var peer: PeerID
        /// Its place in the page, from 0.
        public var position: Int

        public init(peer: PeerID, position: Int) {
            self.peer = peer
            self.position = position
        }
    }

    /// The most rows of one page.
    public static let maximumLimit = 1000

    public var sort: RowSort
    public var descending: Bool
    /// Text that the UUID, the address or the kind must contain, without regard to case; a leading `!` turns it round.
    public var filter: String
    /// The first row, from 0; only asked when the anchor isn't there.
    public var offset: Int
    /// How many rows, at most `maximumLimit`.
    public var limit: Int
    public var anchor: Anchor?

    public init(
        sort: RowSort = .expires, descending: Bool = false, filter: String = "", offset: Int = 0, limit: Int = 100,
        anchor: Anchor? = nil
    ) {
        self.sort = sort
        self.descending = descending
        self.filter = filter
        self.offset = max(0, offset)
        self.limit = min(max(0, limit), Self.maximumLimit)
        self.anchor = anchor
    }
}

/// A registration as displays see it.
public struct RegistrationRow: Hashable, Sendable {
    public var peer: PeerID
    /// Where it said, or for a keyed peer proved, that it listens.
    public var address: Endpoint
    /// Time since its first registration here.
    public var age: Span
    /// What is left of its lease.
    public var expires: Span
    /// The whole lease, to draw what is left of it.
    public var lease: Span
    /// The sequence of its signed record; `nil` for a seed peer.
    public var sequence: UInt64?

    public init(
        peer: PeerID, address: Endpoint, age: Span, expires: Span, lease: Span, sequence: UInt64?
    ) {
        self.peer = peer
        self.address = address
        self.age = age
        self.expires = expires
        self.lease = lease
        self.sequence = sequence
    }

    /// `key` when the row is held by a key, `seed` when the server made the UUID up.
    public var kind: String { peer.isKeyed ? "key" : "seed" }
}

/// The rows that a request asked for.
public struct RowPage: Equatable, Sendable {
    public var request: RowRequest
    /// The place of the first row among all that match.
    public var offset: Int
    public var rows: [RegistrationRow]
    /// How many match the filter.
    public var matching: Int

    public init(request: RowRequest = RowRequest(), offset: Int = 0, rows: [RegistrationRow] = [], matching: Int = 0) {
        self.request = request
        self.offset = offset
        self.rows = rows
        self.matching = matching
    }
}
