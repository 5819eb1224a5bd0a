// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Writes a ``Backup`` piece by piece; at most a record and a chunk are in memory.
///
/// It can't be copied: two writers that go on from one place would seal two things under one nonce.
public struct BackupWriter: ~Copyable {
    private let cipher: BackupCipher
    private let write: ([UInt8]) throws -> Void
    private var pending: [UInt8] = []
    private var chunks: UInt64 = 0

    /// Begins a file. Takes as long as a passphrase costs.
    /// - Parameter write: takes the file's octets in order. What it throws goes through.
    /// - Throws: `BackupError.emptyPassphrase`, `.noMemory`.
    public init(
        _ identity: Identity, passphrase: [UInt8], write: @escaping ([UInt8]) throws -> Void
    ) throws {
        try self.init(identity, passphrase: passphrase, cost: .standard, write: write)
    }

    package init(
        _ identity: Identity, passphrase: [UInt8], cost: PassphraseCost, write: @escaping ([UInt8]) throws -> Void
    ) throws {
        var random = RandomSource.system
        let cipher = try BackupCipher(passphrase, salt: random.octets(PassphraseCost.saltSize), cost: cost)
        try write(try cipher.line())
        self.cipher = cipher
        self.write = write
        pending = Self.frame(.identity, identity.seed)
    }

    /// Adds a record of the application, which alone knows what it means.
    /// - Throws: `BackupError.recordTooLong`.
    public mutating func append(_ record: [UInt8]) throws {
        guard record.count <= Backup.recordLimit else { throw BackupError.recordTooLong }
        pending += Self.frame(.record, record)
        var rest = pending[...]
        // A full chunk waits until more comes: the last one is never empty.
        while rest.count > Backup.chunkSize {
            try write(try cipher.seal(rest.prefix(Backup.chunkSize), at: chunks, .more))
            chunks += 1
            rest = rest.dropFirst(Backup.chunkSize)
        }
        if rest.startIndex > 0 { pending = Array(rest) }
    }

    /// Ends the file; without that it is cut short, and its reader says so.
    public consuming func finish() throws {
        try write(try cipher.seal(pending, at: chunks, .last))
    }

    private static func frame(_ kind: Backup.Kind, _ body: [UInt8]) -> [UInt8] {
        [kind.rawValue] + bigEndianOctets(UInt64(body.count), count: 4) + body
    }
}
