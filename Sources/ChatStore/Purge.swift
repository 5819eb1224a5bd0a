// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB
internal import Queues

/// Erased words leave the file itself.
///
/// FTS5 (before SQLite 3.42's `secure-delete`) only marks them in its index and drops them when segments merge. So
/// after an erasure the index is merged into one segment, in steps between which commits get their turn, and then the
/// log is emptied. A fact in the database makes the next start go on where this one ended.
extension ChatStore {
    /// Index pages merged in one transaction, some milliseconds.
    private static let stride = 256

    /// Goes on with what the last run left.
    func resumePurge() {
        let left = try? reader.read { try $0.first("SELECT 1 FROM fact WHERE name = 'purge'") }
        if left != nil { startPurge() }
    }

    /// Begins one, unless one is about to.
    func startPurge() {
        let isAhead = purgeAhead.withLock { isAhead in
            defer { isAhead = true }
            return isAhead
        }
        if !isAhead { Task { await purge() } }
    }

    /// Merges until nothing is left to merge. An error ends it until the next erasure or start.
    package func purge() async {
        var pages = -ChatStore.stride
        while await merge(pages) { pages = ChatStore.stride }
    }

    /// - Returns: whether there is more to do.
    private func merge(_ pages: Int) async -> Bool {
        guard let pool else { return false }
        return await withCheckedContinuation { done in
            pool.asyncWriteWithoutTransaction { db in
                self.purgeAhead.withLock { $0 = false }
                let more = try? self.writing(db) { db in
                    let before = db.totalChangesCount
                    try db.run("INSERT INTO search (search, rank) VALUES ('merge', ?)", [pages])
                    if db.totalChangesCount - before >= 2 { return true }
                    try db.run("DELETE FROM fact WHERE name = 'purge'")
                    return false
                }
                if more == false { _ = try? db.checkpoint(.truncate) }
                done.resume(returning: more ?? false)
            }
        }
    }
}
