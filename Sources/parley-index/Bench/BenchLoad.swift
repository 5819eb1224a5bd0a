// SPDX-License-Identifier: GPL-3.0-or-later

/// What a server is asked to do, and how much of it at a time.
struct BenchLoad: Sendable {
    enum Kind: String, CaseIterable, Sendable { case queries, keepalives, registrations, durable, signed, mixed, relay }

    let kind: Kind
    /// Requests under way at any time.
    let outstanding: Int

    var title: String { "\(kind.rawValue) \(outstanding)" }

    /// Where the index server keeps what is registered.
    var store: String { kind == .durable ? "sqlite" : "memory" }

    /// A load at each width that says something about it.
    static func usual(_ kind: Kind) -> [BenchLoad] {
        let widths =
            switch kind {
            case .queries: [64, 256]
            case .durable: [64, 1024]
            case .keepalives, .registrations, .signed, .mixed, .relay: [64]
            }
        return widths.map { BenchLoad(kind: kind, outstanding: $0) }
    }
}
