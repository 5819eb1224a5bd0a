// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB
internal import IndexEngine

/// Content that no version of ours wrote.
struct Damage: Error {
    /// One clause about the file.
    let reason: String
    init(_ reason: String) { self.reason = reason }

    /// What an error says of the content; `nil` when the content is not at fault.
    init?(_ error: any Error) {
        switch error {
        case let damage as Damage: self = damage
        case let error as DatabaseError where error.isDamage: self.init(error.message ?? "SQLite can't read it")
        default: return nil
        }
    }
}

extension IndexStoreFault {
    /// Says what an error means for the operator.
    init(_ error: any Error, path: String) {
        switch error {
        case let fault as IndexStoreFault: self = fault
        case let error as DatabaseError: self.init(error, path: path)
        default: self.init(.failed, "The registry in \(path) failed: \(error).")
        }
    }

    private init(_ error: DatabaseError, path: String) {
        let said = error.message ?? "no reason given"
        switch error.resultCode {
        case _ where error.isFullDisk:
            self.init(.full, "The disk of \(path) is full: make room, and registering goes on by itself.")
        case .SQLITE_IOERR where error.isFailedSync:
            self.init(.failed, "The disk of \(path) failed to keep what was written: check it, then restart.")
        case .SQLITE_IOERR: self.init(.failed, "The disk of \(path) refuses to read or write (\(said)): check it.")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.failed, "Another program holds \(path) for too long: end it.")
        case .SQLITE_READONLY: self.init(.failed, "\(path) can't be written (\(said)): check its rights.")
        case .SQLITE_CANTOPEN:
            self.init(.failed, "\(path) can't be opened (\(said)): its directory must be there and writable.")
        default: self.init(.failed, "The registry in \(path) failed (\(said)).")
        }
    }
}

extension DatabaseError {
    /// Whether the content is at fault, not the disk or another program.
    var isDamage: Bool { resultCode == .SQLITE_CORRUPT || resultCode == .SQLITE_NOTADB }

    /// Whether there is no room; the shared memory beside the log needs some too.
    var isFullDisk: Bool {
        resultCode == .SQLITE_FULL || extendedResultCode == .SQLITE_IOERR_SHMSIZE
    }

    /// Whether the disk failed to confirm a write: what the system's cache holds can't be trusted from then on.
    var isFailedSync: Bool {
        extendedResultCode == .SQLITE_IOERR_FSYNC || extendedResultCode == .SQLITE_IOERR_DIR_FSYNC
    }
}
