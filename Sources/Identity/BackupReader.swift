// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Reads a ``Backup``: once to the end before anything is handed out, so that nothing of a damaged one is ever used,
/// then record by record; at most a record and a chunk are in memory.
public struct BackupReader {
    /// Whose backup it is.
    public let identity: Identity
    /// How many records of the application follow.
    public let recordCount: Int
    private var frames: BackupFrames

    /// Checks the whole file. Takes as long as a passphrase costs, and one reading.
    /// - Parameter read: octets from a place in the file, at most as many as asked for; none past its end. What it
    ///   throws goes through.
    /// - Throws: `BackupError`.
    public init(
        passphrase: [UInt8], read: @escaping (_ offset: UInt64, _ count: Int) throws -> [UInt8]
    ) throws {
        var frames = try BackupFrames(passphrase, read)
        guard let (kind, seed) = try frames.next(), kind == .identity, let identity = Identity(seed: seed)
        else { throw BackupError.damaged }
        self.identity = identity
        self.frames = frames
        var count = 0
        while let (kind, _) = try frames.next() {
            guard kind == .record else { throw BackupError.damaged }
            count += 1
        }
        recordCount = count
    }

    /// The next record of the application; `nil` after the last one.
    /// - Throws: `BackupError` when the file was changed since it was checked: take back what was done with the others.
    public mutating func next() throws -> [UInt8]? {
        try frames.next()?.body
    }
}

/// The records of all kinds, chunk by chunk.
private struct BackupFrames {
    private let read: (UInt64, Int) throws -> [UInt8]
    private let cipher: BackupCipher
    private var offset: UInt64
    private var chunks: UInt64 = 0
    private var isAtEnd = false
    private var opened: [UInt8] = []
    private var position = 0

    init(_ passphrase: [UInt8], _ read: @escaping (UInt64, Int) throws -> [UInt8]) throws {
        self.read = read
        let start = try readAll(read, at: 0, count: 128)
        guard let end = start.firstIndex(of: UInt8(ascii: "\n")) else { throw BackupError.notABackup }
        let fields = String(decoding: start[..<end], as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: false)
        guard fields.first == Backup.version[...] else {
            throw fields.first?.hasPrefix("parley-backup-") == true ? BackupError.newerVersion : .notABackup
        }
        guard fields.count == 6, let cost = PassphraseCost(fields[1..<4]),
            let salt = lowerHexOctets(fields[4]), salt.count == PassphraseCost.saltSize,
            let check = lowerHexOctets(fields[5])
        else { throw BackupError.damaged }
        cipher = try BackupCipher(passphrase, salt: salt, cost: cost)
        guard cipher.open(check, at: 0, .check) == [] else { throw BackupError.wrongPassphrase }
        offset = UInt64(end + 1)
    }

    mutating func next() throws -> (kind: Backup.Kind, body: [UInt8])? {
        guard try fill(Backup.frameHead) else {
            guard position == opened.count else { throw BackupError.damaged }
            return nil
        }
        let head = opened[position..<(position + Backup.frameHead)]
        guard let kind = head.first.flatMap({ Backup.Kind(rawValue: $0) }) else { throw BackupError.newerVersion }
        let count = Int(bigEndian(head.dropFirst()))
        guard count <= Backup.recordLimit, try fill(Backup.frameHead + count) else { throw BackupError.damaged }
        let start = position + Backup.frameHead
        position = start + count
        return (kind, Array(opened[start..<position]))
    }

    /// Opens chunks until so many octets are there.
    /// - Returns: whether there are so many before the end.
    private mutating func fill(_ count: Int) throws -> Bool {
        while opened.count - position < count {
            guard !isAtEnd else { return false }
            opened.removeFirst(position)
            position = 0
            opened += try chunk()
        }
        return true
    }

    private mutating func chunk() throws -> [UInt8] {
        let size = Backup.chunkSize + BackupCipher.tagSize
        // One octet more shows whether this is the last.
        let sealed = try readAll(read, at: offset, count: size + 1)
        isAtEnd = sealed.count <= size
        let chunk = Array(sealed.prefix(size))
        guard let octets = cipher.open(chunk, at: chunks, isAtEnd ? .last : .more) else {
            let isCut = isAtEnd && (chunk.isEmpty || cipher.open(chunk, at: chunks, .more) != nil)
            throw isCut ? BackupError.truncated : .damaged
        }
        offset += UInt64(chunk.count)
        chunks += 1
        return octets
    }
}

/// So many octets, or all until the end.
private func readAll(
    _ read: (UInt64, Int) throws -> [UInt8], at offset: UInt64, count: Int
) throws -> [UInt8] {
    var octets: [UInt8] = []
    while octets.count < count {
        let more = try read(offset + UInt64(octets.count), count - octets.count)
        guard !more.isEmpty else { break }
        octets += more.prefix(count - octets.count)
    }
    return octets
}
