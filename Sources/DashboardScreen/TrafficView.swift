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

    /// The view that `v` leads to.
    var next: TrafficView {
        switch self {
        case .feed: .results
        case .results: .sources
        case .sources: .feed
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
