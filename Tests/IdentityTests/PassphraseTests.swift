// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Identity
import Model
import Support
import Testing

@Suite struct `An identity under a passphrase` {
    private let scratch: TemporaryDirectory
    private let identity: Identity
    private let right = Array("correct horse battery staple".utf8)

    init() throws {
        scratch = try TemporaryDirectory()
        identity = try IdentityFile.loadOrCreate(home: scratch.path).identity
    }

    private var path: String { scratch.file("identity") }
    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    private func write(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    private func protect() throws {
        try IdentityFile.setPassphrase(home: scratch.path, old: nil, new: right, cost: .trifling)
    }

    @Test func `asks for it, and opens with it alone`() throws {
        try protect()
        #expect(throws: IdentityFileError.passphraseNeeded(path: path)) { try IdentityFile.load(home: scratch.path) }
        #expect(throws: IdentityFileError.passphraseNeeded(path: path)) {
            try IdentityFile.loadOrCreate(home: scratch.path)
        }
        for wrong in [[], Array("Correct horse battery staple".utf8), right + [0x20], right.dropLast()] {
            #expect(throws: IdentityFileError.wrongPassphrase(path: path)) {
                try IdentityFile.load(home: scratch.path, passphrase: Array(wrong))
            }
        }
        #expect(try IdentityFile.load(home: scratch.path, passphrase: right).seed == identity.seed)
        let again = try IdentityFile.loadOrCreate(home: scratch.path, passphrase: right)
        #expect(again.identity.seed == identity.seed)
        #expect(!again.created)
    }

    @Test func `stands in one line without its seed, for the user alone`() throws {
        try protect()
        let line = try text()
        let pattern = /parley-identity-2 ed25519 10 8 1 [0-9a-f]{32} [0-9a-f]{120}\n/
        #expect(line.wholeMatch(of: pattern) != nil)
        #expect(!line.contains(hex(identity.seed)))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["identity"], "no draft is left")
    }

    @Test func `gets another, and none again`() throws {
        try protect()
        let first = try text()
        let other = Array("another".utf8)
        #expect(throws: IdentityFileError.wrongPassphrase(path: path)) {
            try IdentityFile.setPassphrase(home: scratch.path, old: other, new: nil, cost: .trifling)
        }
        #expect(throws: IdentityFileError.passphraseNeeded(path: path)) {
            try IdentityFile.setPassphrase(home: scratch.path, old: nil, new: other, cost: .trifling)
        }
        #expect(throws: IdentityFileError.emptyPassphrase) {
            try IdentityFile.setPassphrase(home: scratch.path, old: right, new: [], cost: .trifling)
        }
        #expect(try text() == first)
        try IdentityFile.setPassphrase(home: scratch.path, old: right, new: other, cost: .trifling)
        #expect(throws: IdentityFileError.wrongPassphrase(path: path)) {
            try IdentityFile.load(home: scratch.path, passphrase: right)
        }
        #expect(try IdentityFile.load(home: scratch.path, passphrase: other).seed == identity.seed)
        try IdentityFile.setPassphrase(home: scratch.path, old: other, new: nil)
        #expect(try text() == "parley-identity-1 ed25519 \(hex(identity.seed))\n")
    }

    @Test func `is written differently each time`() throws {
        try protect()
        let first = try text()
        try IdentityFile.setPassphrase(home: scratch.path, old: right, new: right, cost: .trifling)
        let second = try text()
        for field in 5...6 { #expect(first.split(separator: " ")[field] != second.split(separator: " ")[field]) }
    }

    @Test func `may be made so at first start, and a plain one needs none`() throws {
        let home = scratch.file("other")
        let made = try IdentityFile.loadOrCreate(home: home, passphrase: right, cost: .trifling)
        #expect(made.created)
        #expect(throws: IdentityFileError.passphraseNeeded(path: home + "/identity")) {
            try IdentityFile.load(home: home)
        }
        #expect(try IdentityFile.load(home: home, passphrase: right).seed == made.identity.seed)
        #expect(throws: IdentityFileError.emptyPassphrase) {
            try IdentityFile.loadOrCreate(home: scratch.file("third"), passphrase: [], cost: .trifling)
        }
        #expect(try IdentityFile.load(home: scratch.path, passphrase: right).seed == identity.seed)
    }

    /// Each would cost its reader gigabytes or hours, or is no number.
    @Test(arguments: [
        "21 8 1", "30 8 1", "63 8 1", "64 8 1", "99 8 1", "9 8 1", "0 8 1", "17 9 1", "17 0 1", "17 99 1", "17 8 0",
        "17 8 5", "17 8 99", "16 1 1", "18446744073709551633 8 1", "-17 8 1", "+17 8 1", "017 8 1", "1x 8 1", "17 8",
        "17 8 1 1", "17  8 1",
    ])
    func `is refused with parameters beyond bounds before anything is computed`(parameters: String) throws {
        try protect()
        let line = try text().replacingOccurrences(of: " 10 8 1 ", with: " \(parameters) ")
        try write(line)
        #expect(throws: IdentityFileError.damaged(path: path)) {
            try IdentityFile.load(home: scratch.path, passphrase: right)
        }
        #expect(try text() == line)
    }

    @Test func `is refused after any change`() throws {
        try protect()
        let line = Array(try text().utf8)
        for index in line.indices.dropLast() where line[index] != UInt8(ascii: " ") {
            // The costs that another first digit would make are tested above.
            guard !(26...31).contains(index) else { continue }
            var changed = line
            changed[index] = changed[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            try write(String(decoding: changed, as: UTF8.self))
            #expect(throws: IdentityFileError.self, "octet \(index)") {
                try IdentityFile.load(home: scratch.path, passphrase: right)
            }
        }
    }

    @Test func `keeps the old file when the new one cannot be written`() throws {
        try protect()
        let before = try text()
        chmod(scratch.path, 0o555)
        chown(scratch.path, 0, 0)
        let (home, old) = (scratch.path, right)
        let fault: IdentityFileError? = onOwnThread {
            let file = home + "/identity"
            chmod(file, 0o644)
            dropFileRights()
            do throws(IdentityFileError) {
                try IdentityFile.setPassphrase(home: home, old: old, new: nil, cost: .trifling)
                return nil
            } catch { return error }
        }
        chmod(scratch.path, 0o700)
        #expect(fault == .unwritable(home: scratch.path, code: EACCES))
        #expect(try text() == before)
    }

    /// The parameters that users get, once.
    @Test func `costs 128 MiB and N = 2^17`() throws {
        try IdentityFile.setPassphrase(home: scratch.path, old: nil, new: right)
        #expect(try text().hasPrefix("parley-identity-2 ed25519 17 8 1 "))
        #expect(try IdentityFile.load(home: scratch.path, passphrase: right).seed == identity.seed)
    }

    /// RFC 8439 and RFC 7914 as Python has them (`hashlib.scrypt` and `cryptography`):
    /// ```
    /// head = b"parley-identity-2 ed25519 10 8 1 " + salt.hex().encode() + b" "
    /// key = hashlib.scrypt(b"correct horse battery staple", salt=salt, n=1024, r=8, p=1, dklen=32)
    /// head + (nonce + ChaCha20Poly1305(key).encrypt(nonce, seed, head)).hex().encode()
    /// ```
    /// with `salt = bytes(range(16))`, `nonce = bytes(range(12))`, `seed = bytes(range(32))`.
    @Test func `is read as another implementation wrote it`() throws {
        try write(Self.vector)
        #expect(try IdentityFile.load(home: scratch.path, passphrase: right).seed == Array(0..<32))
    }

    private static let vector = """
        parley-identity-2 ed25519 10 8 1 000102030405060708090a0b0c0d0e0f \
        000102030405060708090a0b19972ef63266aa26410cc7868c9f88a8336d\
        2beaea2a6d6992dfc7e6eb23713ccf2f877f00aa5165f1b0d90716c41d1d
        """
}
