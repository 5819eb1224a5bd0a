// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// The filtered and sorted peers behind a table, made now and then and only while somebody looks.
struct RowOrder: Sendable {
    private(set) var peers: [PeerID] = []
    private var sort: RowSort?
    private var descending = false
    private var filter = ""
    private var made = Instant(nanoseconds: 0)

    /// Whether the order has to be made anew: the display asks for another, or this one is old. A second counts as old, and
    /// ten microseconds more for each row, so that sorting never takes more than a few percent of the time.
    func isStale(for request: RowRequest, rows: Int, now: Instant) -> Bool {
        guard sort == request.sort, descending == request.descending, filter == request.filter else { return true }
        return now.since(made) >= max(.seconds(1), .microseconds(10 * rows))
    }

    /// The places of the rows to show.
    func range(for request: RowRequest) -> Range<Int> {
        var first = request.offset
        if let anchor = request.anchor, let place = peers.firstIndex(of: anchor.peer) {
            first = place - min(max(0, anchor.position), request.limit)
        }
        first = min(max(0, first), max(0, peers.count - request.limit))
        return first..<min(peers.count, first + request.limit)
    }

    /// Collects the rows that match, each with its place in the order as one number.
    struct Builder {
        private let request: RowRequest
        private let filter: RowFilter
        private var keys: [(key: Key, peer: PeerID)] = []

        private typealias Key = (UInt64, UInt64)

        init(_ request: RowRequest) {
            self.request = request
            filter = RowFilter(request.filter)
        }

        mutating func add(_ peer: PeerID, address: Endpoint, since: Instant, until: Instant) {
            guard filter.matches(peer, address) else { return }
            let key: Key =
                switch request.sort {
                case .peer: (peer.high, peer.low)
                case .kind: (peer.isKeyed ? 0 : 1, 0)
                case .address: address.address.order
                case .age: (.max - since.nanoseconds, 0)
                case .expires: (until.nanoseconds, 0)
                }
            keys.append((key, peer))
        }

        /// Sorts; equals stay in the order of their UUIDs, whichever way the column runs.
        func finish(now: Instant) -> RowOrder {
            var order = RowOrder()
            order.peers = keys.sorted { left, right in
                if left.key != right.key { return (left.key < right.key) != request.descending }
                return left.peer < right.peer
            }.map(\.peer)
            order.sort = request.sort
            order.descending = request.descending
            order.filter = request.filter
            order.made = now
            return order
        }
    }
}

/// A compiled filter text.
struct RowFilter {
    private let needle: [UInt8]
    private let inverted: Bool

    init(_ text: String) {
        inverted = text.hasPrefix("!")
        needle = Array(text.dropFirst(inverted ? 1 : 0).lowercased().utf8)
    }

    func matches(_ peer: PeerID, _ address: Endpoint) -> Bool {
        guard !needle.isEmpty else { return true }
        let found =
            contains(peer.description) || contains(address.description) || contains(peer.isKeyed ? "key" : "seed")
        return found != inverted
    }

    private func contains(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count >= needle.count else { return false }
            return (0...(bytes.count - needle.count)).contains { start in
                needle.indices.allSatisfy { bytes[start + $0] == needle[$0] }
            }
        }
    }
}

extension Endpoint.Address {
    /// Numerical order, IPv4 first.
    fileprivate var order: (UInt64, UInt64) {
        switch self {
        case .v4(let bits): (0, UInt64(bits))
        case .v6(let high, let low): (high, low)
        }
    }
}
