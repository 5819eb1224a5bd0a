// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import CommandLineKit
import Glibc
import Identity
import Model
import PeerEngine
import Queues
import SafeText

/// `parley passphrase`: protects the identity on disk, changes the passphrase, or takes it away.
enum PassphraseProgram {
    /// - Parameter passphrase: where the present one comes from, and behind it, on the next line, the new one.
    static func run(home: String, passphrase: Passphrase, remove: Bool) throws(ProgramFailure) {
        let old = try current(home, passphrase)
        let new = remove ? nil : try passphrase.readNew("New passphrase for \(home): ")
        do throws(IdentityFileError) { try IdentityFile.setPassphrase(home: home, old: old, new: new) } catch {
            throw ProgramFailure(.badIdentity, "\(error)")
        }
        let what = remove ? "The identity has no passphrase any more." : "The identity has this passphrase now."
        writeAll(Array((what + "\n").utf8), to: STDOUT_FILENO)
    }

    /// The passphrase that opens the identity now; `nil` when it has none.
    private static func current(_ home: String, _ passphrase: Passphrase) throws(ProgramFailure) -> [UInt8]? {
        do throws(IdentityFileError) {
            _ = try IdentityFile.load(home: home)
            return nil
        } catch .passphraseNeeded {
            return try passphrase.read("Passphrase for \(home): ")
        } catch { throw ProgramFailure(.badIdentity, "\(error)") }
    }
}

extension Passphrase {
    /// Asks twice on the terminal, since nobody sees what they type.
    fileprivate func readNew(_ prompt: String) throws(ProgramFailure) -> [UInt8] {
        guard descriptor == nil else { return try read("") }
        let first = try askPassphrase(prompt)
        guard try askPassphrase("The same again: ") == first else {
            throw ProgramFailure(.badIdentity, "The two were not the same; nothing was changed.")
        }
        return first
    }
}

/// `parley export`: identity, contacts and history in one encrypted file. Only reads, so it works beside a running
/// chat.
struct ExportProgram {
    let options: Options
    let file: String
    let backupPassphrase: Passphrase

    func run() throws(ProgramFailure) {
        let home = try options.homePath
        guard access(home + "/identity", F_OK) == 0 else {
            throw ProgramFailure(.badIdentity, "There is no identity in \(home) to export.")
        }
        let identity = try openIdentity(home, options.passphrase)
        let store = try readableStore(home)
        let passphrase = try backupPassphrase.readNew("Passphrase for the backup: ")
        try NewFile.write(file) { put in
            var writer = try BackupWriter(identity, passphrase: passphrase, write: put)
            try store.export { (record) throws(StoreError) in
                do { try writer.append(record) } catch { throw StoreError("\(error)", mayPass: false) }
            }
            try writer.finish()
        }
        let sentence = "\(DisplayText(file)) holds identity, contacts and history of \(identity.peer) now."
        writeAll(Array((sentence + "\n").utf8), to: STDOUT_FILENO)
    }
}

/// `parley import`: takes a backup over into a home, which is empty or the same identity's.
struct ImportProgram {
    let options: Options
    let file: String
    let backupPassphrase: Passphrase

    func run() throws(ProgramFailure) {
        let home = try options.homePath
        let passphrase = try backupPassphrase.read("Passphrase of the backup: ")
        let source = try OpenFile(file)
        var reader: BackupReader
        do { reader = try BackupReader(passphrase: passphrase, read: source.read) } catch {
            throw ProgramFailure(.badIdentity, "\(error)")
        }
        try adopt(reader.identity, home)
        let holder = try Home(home, purpose: "import", passphrase: options.passphrase)
        guard holder.identity.key == reader.identity.key else {
            throw ProgramFailure(
                .badIdentity,
                "\(home) belongs to \(holder.identity.peer), the backup to \(reader.identity.peer); use another --home."
            )
        }
        let store = try openStore(holder.storePath)
        defer { store.close() }
        do {
            let counts = try store.merge { () throws(StoreError) in
                do { return try reader.next() } catch { throw StoreError("\(error)", mayPass: false) }
            }
            writeAll(
                Array((sentence(reader.identity, counts.contacts, counts.messages) + "\n").utf8), to: STDOUT_FILENO)
        } catch { throw ProgramFailure(.failure, "\(error)") }
    }

    private func sentence(_ identity: Identity, _ contacts: Int, _ messages: Int) -> String {
        guard contacts > 0 || messages > 0 else {
            return "\(identity.peer): everything in the backup is here already."
        }
        let counts = "\(contacts) contact\(contacts == 1 ? "" : "s") and \(messages) message\(messages == 1 ? "" : "s")"
        return "\(identity.peer): \(counts) taken over."
    }

    /// A home without identity gets the backup's, under `--passphrase-fd` if that is given.
    private func adopt(_ identity: Identity, _ home: String) throws(ProgramFailure) {
        guard access(home + "/identity", F_OK) != 0 else { return }
        let passphrase = try options.passphrase.descriptor.map { (descriptor) throws(ProgramFailure) in
            try readPassphrase(descriptor: descriptor)
        }
        do throws(IdentityFileError) {
            try IdentityFile.adopt(identity, home: home, passphrase: passphrase)
        } catch { throw ProgramFailure(.badIdentity, "\(error)") }
    }
}

private func readableStore(_ home: String) throws(ProgramFailure) -> ChatStore {
    do throws(StoreError) { return try ChatStore(readingOnly: Home.storePath(home)) } catch {
        throw ProgramFailure(.failure, "\(error)")
    }
}

/// A file that appears under its name as a whole, for its owner alone, or not at all.
private enum NewFile {
    static func write(_ path: String, _ body: (@escaping ([UInt8]) throws -> Void) throws -> Void)
        throws(ProgramFailure)
    {
        guard access(path, F_OK) != 0 else {
            throw ProgramFailure(.failure, "\(path) exists already; name a file that does not.")
        }
        let draft = path + ".new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        do {
            try body { bytes in if !writeAll(bytes, to: descriptor) { throw failure(path) } }
        } catch {
            unlink(draft)
            throw error as? ProgramFailure ?? ProgramFailure(.failure, "\(error)")
        }
        guard fsync(descriptor) == 0, rename(draft, path) == 0 else {
            let reason = failure(path)
            unlink(draft)
            throw reason
        }
    }

    private static func failure(_ path: String) -> ProgramFailure {
        ProgramFailure(.failure, "\(path) can't be written: \(systemReason(errno)).")
    }
}

/// A file to read from any place of it.
private final class OpenFile {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(ProgramFailure) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ProgramFailure(.failure, "\(path) can't be read: \(systemReason(errno)).")
        }
    }

    deinit { close(descriptor) }

    func read(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let taken = pread(descriptor, &buffer, count, off_t(clamping: offset))
        guard taken >= 0 else {
            throw ProgramFailure(.failure, "\(path) can't be read: \(systemReason(errno)).")
        }
        return Array(buffer.prefix(taken))
    }
}
