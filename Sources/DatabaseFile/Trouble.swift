// SPDX-License-Identifier: GPL-3.0-or-later
public import GRDB

/// What stands in the way of a file, in one sentence for people.
public struct Obstacle: Error, CustomStringConvertible {
    public let description: String
    /// Whether it goes when there is room.
    public let isFullDisk: Bool

    init(_ description: String, isFullDisk: Bool = false) {
        (self.description, self.isFullDisk) = (description, isFullDisk)
    }
}

/// Content that no version of ours wrote.
public struct Damage: Error {
    /// One clause about the file.
    public let reason: String
    public init(_ reason: String) { self.reason = reason }

    /// What an error says of the content; `nil` when the content is not at fault.
    public init?(_ error: any Error) {
        switch error {
        case let damage as Damage: self = damage
        case let error as DatabaseError where error.isDamage: self.init(error.message ?? "SQLite can't read it")
        default: return nil
        }
    }
}

extension Damage {
    /// Looks a whole database through, but for its indexes' content.
    /// - Throws: `Damage`, or what SQLite says.
    public static func search(_ db: Database) throws {
        let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "nothing"
        guard verdict != "ok" else { return }
        // The first line may be a headline.
        let lines = verdict.split(separator: "\n")
        throw Damage("SQLite says: \(lines.first { !$0.hasPrefix("***") } ?? lines.first ?? "nothing")")
    }
}

extension DatabaseError {
    /// Whether the content is at fault, not the disk or another program.
    public var isDamage: Bool { resultCode == .SQLITE_CORRUPT || resultCode == .SQLITE_NOTADB }

    /// Whether there is no room; the shared memory beside the log needs some too.
    public var isFullDisk: Bool {
        resultCode == .SQLITE_FULL || extendedResultCode == .SQLITE_IOERR_SHMSIZE
    }

    /// Whether the disk failed to confirm a write: what the system's cache holds can't be trusted from then on.
    public var isFailedSync: Bool {
        extendedResultCode == .SQLITE_IOERR_FSYNC || extendedResultCode == .SQLITE_IOERR_DIR_FSYNC
    }
}
