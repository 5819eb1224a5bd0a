// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model

/// What displays see of the store.
struct StoreBoard {
    /// What may fail: the one can while the other does not.
    enum Work { case reading, writing }

    /// Rows read so far; `nil` once all are.
    var loadedRows: Int?
    var bytes: UInt64?
    private let kind: String
    private var failures: [Work: (reason: String, since: WallTime)] = [:]
    private var commits: UInt64 = 0
    private var rowsWritten: UInt64 = 0
    private var times = CommitTimes()

    init(_ store: any IndexStore) {
        kind = store.isVolatile ? "memory" : "sqlite"
        loadedRows = store.isVolatile ? nil : 0
    }

    mutating func finishLoading() { (loadedRows, failures[.reading]) = (nil, nil) }

    /// - Returns: whether it failed before.
    mutating func commit(_ rows: Int, took: Span) -> Bool {
        commits += 1
        rowsWritten += UInt64(rows)
        times.add(took)
        return failures.removeValue(forKey: .writing) != nil
    }

    /// - Returns: whether that is news.
    mutating func fail(_ work: Work, _ reason: String, wall: WallTime) -> Bool {
        let before = failures.updateValue((reason, failures[work]?.since ?? wall), forKey: work)
        return before?.reason != reason
    }

    func health(waiting: Int) -> StoreHealth {
        let state: StoreHealth.State =
            if let failure = failures[.writing] ?? failures[.reading] {
                .failing(reason: failure.reason, since: failure.since)
            } else if let loadedRows {
                .loading(rows: loadedRows)
            } else {
                .ready
            }
        return StoreHealth(
            kind: kind, state: state, waiting: waiting, commits: commits, rowsWritten: rowsWritten,
            latency: times.summary, bytes: bytes)
    }
}
