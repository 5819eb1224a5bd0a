// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine

/// What the queries panel shows.
enum TrafficView: CaseIterable, Sendable {
    /// One line a datagram.
    case feed
    /// One line a result.
    case results
    /// One line a group of source addresses.
    case sources
    /// One line for two peers that the server passes on between.
    case pairs

    /// The view after this one; pairs only where there can be some.
    func next(relays: Bool) -> TrafficView {
        switch self {
        case .feed: .results
        case .results: .sources
        case .sources: relays ? .pairs : .feed
        case .pairs: .feed
        }
    }
}

/// The column that orders sources, the greatest first.
enum SourceSort: CaseIterable, Sendable {
    case requests, errors, limited

    func value(_ row: SourceRow) -> UInt64 {
        switch self {
        case .requests: row.requests
        case .errors: row.errors
        case .limited: row.limited
        }
    }
}
