// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
internal import Model

/// An identity and what belongs to it in one file under a passphrase, to be kept elsewhere.
///
/// ```
/// parley-backup-1 <log2 N> <r> <p> <salt> <check>          a line in ASCII, octets in lower-case hex
/// chunks: 65,536 octets and a tag of 16 each; the last one may be shorter
/// ```
/// The chunks, opened and joined, are records: one octet of kind (1: the identity's seed, first and once; 2: a record
/// of the application), four of length in network order, and the body.
///
/// No cryptography of our own: the key is scrypt's (RFC 7914) over the passphrase and a salt that no other file has;
/// each chunk is ChaCha20-Poly1305's (RFC 8439) with the line before the check as associated data; what makes one thing
/// of many chunks is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár 2015, "Online Authenticated-Encryption and its
/// Nonce-Reuse Misuse-Resistance"), with the nonce as `age` has it: eleven octets of counter, one that is 1 for the
/// last chunk. So a chunk opens at its own place alone, and a file that was cut between chunks has no last one. The
/// check is the tag of nothing under a last octet of 2: it tells a wrong passphrase from a damaged file.
public enum Backup {
    /// Octets of an application's record at most: 1 MiB.
    public static let recordLimit = 1 << 20

    static let version = "parley-backup-1"
    static let chunkSize = 65_536
    static let frameHead = 5

    enum Kind: UInt8 {
        case identity = 1
        case record = 2
    }
}

/// Why a backup can't be written or used.
public enum BackupError: Error, Equatable, Sendable {
    /// Something else than a backup.
    case notABackup
    /// Of a version that is not known here.
    case newerVersion
    /// Not the passphrase that it was written under; or its first line was changed, which looks the same.
    case wrongPassphrase
    /// Octets were changed, moved, added or lost.
    case damaged
    /// Its end is missing.
    case truncated
    /// No passphrase protects anything if it is empty.
    case emptyPassphrase
    /// The system has not the memory that a passphrase takes, 128 MiB.
    case noMemory
    /// The application's record has more than ``Backup/recordLimit`` octets.
    case recordTooLong
}

extension BackupError: CustomStringConvertible {
    /// One sentence: what happened and what to do.
    public var description: String {
        switch self {
        case .notABackup: "That file is no backup; name one that 'parley export' wrote."
        case .newerVersion: "That backup was written by a newer version; update to read it."
        case .wrongPassphrase: "That passphrase does not open the backup; try again."
        case .damaged: "The backup is damaged, and nothing of it was used; take another copy."
        case .truncated: "The end of the backup is missing, and nothing of it was used; take another copy."
        case .emptyPassphrase: "An empty passphrase protects nothing; choose a longer one."
        case .noMemory:
            "There is not enough memory to check a passphrase, which takes 128 MiB; close other programs and try again."
        case .recordTooLong: "A record of more than 1 MiB can't be kept in a backup; nothing was written to its end."
        }
    }
}

/// Seals and opens the chunks of one file.
struct BackupCipher {
    static let tagSize = 16
    private let key: SymmetricKey
    private let head: [UInt8]

    init(_ passphrase: [UInt8], salt: [UInt8], cost: PassphraseCost) throws(BackupError) {
        guard !passphrase.isEmpty else { throw .emptyPassphrase }
        guard let key = cost.key(of: passphrase, salt: salt) else { throw .noMemory }
        self.key = key
        head = Array("\(Backup.version) \(cost.text) \(salt.hex)".utf8)
    }

    /// The file's first line, with its end.
    func line() throws -> [UInt8] {
        head + Array(" \(try seal([], at: 0, .check).hex)\n".utf8)
    }

    /// What a chunk's nonce says besides its place.
    enum Mark: UInt8 {
        case more = 0
        case last = 1
        case check = 2
    }

    func seal(_ octets: some Collection<UInt8>, at index: UInt64, _ mark: Mark) throws -> [UInt8] {
        let box = try ChaChaPoly.seal(
            Array(octets), using: key, nonce: try nonce(index, mark), authenticating: head)
        return Array(box.ciphertext) + Array(box.tag)
    }

    /// `nil` for anything but what was sealed at this place.
    func open(_ sealed: [UInt8], at index: UInt64, _ mark: Mark) -> [UInt8]? {
        let size = sealed.count - Self.tagSize
        guard size >= 0, let nonce = try? nonce(index, mark),
            let box = try? ChaChaPoly.SealedBox(
                nonce: nonce, ciphertext: Array(sealed[..<size]), tag: Array(sealed[size...])),
            let octets = try? ChaChaPoly.open(box, using: key, authenticating: head)
        else { return nil }
        return Array(octets)
    }

    private func nonce(_ index: UInt64, _ mark: Mark) throws -> ChaChaPoly.Nonce {
        try ChaChaPoly.Nonce(data: [0, 0, 0] + bigEndianOctets(index, count: 8) + [mark.rawValue])
    }
}
