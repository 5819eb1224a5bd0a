// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import PeerEngine

extension StoreError {
    /// Says what SQLite's error means for the user.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as StoreError: self = error
        case let obstacle as Obstacle: self.init(obstacle.description, mayPass: obstacle.isFullDisk)
        case let damage as Damage: self = .damaged(path, damage.reason)
        case let error as DatabaseError: self.init(error, path: path)
        default: self.init("The history in \(path) failed: \(error).", mayPass: false)
        }
    }

    private init(_ error: DatabaseError, path: String) {
        let said = error.message ?? "no reason given"
        switch error.resultCode {
        case _ where error.isFullDisk:
            self.init("The disk of \(path) is full: make room, and Parley goes on by itself.", mayPass: true)
        case .SQLITE_IOERR where error.isFailedSync:
            self.init("The disk of \(path) failed to keep what was written: check it, then restart.", mayPass: false)
        case .SQLITE_IOERR:
            self.init("The disk of \(path) refuses to read or write (\(said)).", mayPass: true)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path, said)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init("Another program holds \(path) for too long.", mayPass: true)
        case .SQLITE_READONLY: self.init("\(path) can't be written (\(said)).", mayPass: false)
        case .SQLITE_CANTOPEN:
            let sentence =
                "\(path) can't be opened (\(said)): its directory must be there and writable, even to read it."
            self.init(sentence, mayPass: true)
        case .SQLITE_NOMEM: self.init("\(path) can't be opened now (\(said)).", mayPass: true)
        default: self.init("The history in \(path) failed (\(said)).", mayPass: false)
        }
    }

    private static func damaged(_ path: String, _ reason: String) -> StoreError {
        StoreError("\(path) is damaged (\(reason)): the next start sets it aside.", mayPass: false)
    }
}
