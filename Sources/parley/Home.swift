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
        lock = try lockDirectory(path, for: "parley \(purpose)", option: "--home")
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
