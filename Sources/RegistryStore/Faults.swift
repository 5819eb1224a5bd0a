// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import IndexEngine

extension IndexStoreFault {
    /// Says what an error means for the operator.
    init(_ error: any Error, path: String) {
        switch error {
        case let fault as IndexStoreFault: self = fault
        case let obstacle as Obstacle: self.init(obstacle.isFullDisk ? .full : .failed, obstacle.description)
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
