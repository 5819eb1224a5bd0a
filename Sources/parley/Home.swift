// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import Model

/// One user's directory, held by one program at a time.
final class Home: Sendable {
    let path: String
    let identity: Identity
    private let lock: Int32

    /// Opens the home, makes the identity if there is none, and holds it until the end of the program.
    /// - Parameter purpose: what the holder is, for the one who comes second.
    init(_ path: String, purpose: String, passphrase: Passphrase) throws(ProgramFailure) {
        self.path = path
        identity = try openIdentity(path, passphrase)
        lock = try takeLock(path, purpose)
    }

    deinit { close(lock) }

    var controlPath: String { Home.controlPath(path) }
    static func controlPath(_ home: String) -> String { home + "/control.sock" }
    var storePath: String { Home.storePath(path) }
    static func storePath(_ home: String) -> String { home + "/history.sqlite" }
}

/// Where the passphrase comes from, if it takes one.
struct Passphrase: Sendable {
    /// `--passphrase-fd`; `nil` asks on the terminal.
    let descriptor: Int32?

    /// - Parameter prompt: what to ask for.
    func read(_ prompt: String) throws(ProgramFailure) -> [UInt8] {
        guard let descriptor else { return try askPassphrase(prompt) }
        return try readPassphrase(descriptor: descriptor)
    }
}

/// Reads or makes the identity, and asks for its passphrase if it has one.
func openIdentity(_ home: String, _ passphrase: Passphrase) throws(ProgramFailure) -> Identity {
    let given = try passphrase.descriptor.map { (descriptor) throws(ProgramFailure) in
        try readPassphrase(descriptor: descriptor)
    }
    do throws(IdentityFileError) {
        return try IdentityFile.loadOrCreate(home: home, passphrase: given).identity
    } catch .passphraseNeeded {
        let typed = try askPassphrase("Passphrase for \(home): ")
        do throws(IdentityFileError) { return try IdentityFile.load(home: home, passphrase: typed) } catch {
            throw ProgramFailure(.badIdentity, "\(error)")
        }
    } catch {
        throw ProgramFailure(.badIdentity, "\(error)")
    }
}

/// A lock of the system on `<home>/lock`: it ends with its holder, however that ends.
private func takeLock(_ home: String, _ purpose: String) throws(ProgramFailure) -> Int32 {
    let descriptor = open(home + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
        let reason = String(cString: strerror(errno))
        throw ProgramFailure(
            .failure, "\(home) can't be used (\(reason)): it must be writable; mend that, or name another --home.")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        close(descriptor)
        let holder = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        throw ProgramFailure(
            .failure,
            "\(holder.isEmpty ? "Another parley" : holder) uses \(home) already; stop it, or use another --home.")
    }
    let note = Array("parley \(purpose) (process \(getpid()))".utf8)
    ftruncate(descriptor, 0)
    pwrite(descriptor, note, note.count, 0)
    return descriptor
}
