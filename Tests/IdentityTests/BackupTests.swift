// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing

@Suite struct `A backup` {
    private let identity = Identity()
    private let passphrase = Array("correct horse battery staple".utf8)
    /// Octets of a sealed chunk.
    private static let chunk = 65_536 + 16

    @Test(
        arguments: [[], [0], [1, 2, 3], [65_526, 1], [65_487, 0], [65_536, 65_536], [1 << 20, 7, 200_000]] as [[Int]])
    func `gives back what was put in`(sizes: [Int]) throws {
        let records = sizes.enumerated().map { [UInt8](repeating: UInt8($0 + 1), count: $1) }
        var reader = try reader(of: written(records))
        #expect(reader.identity.seed == identity.seed)
        #expect(reader.recordCount == records.count)
        for record in records { #expect(try reader.next() == record) }
        #expect(try reader.next() == nil)
    }

    /// With the seed's record, the framing fills the first chunk to its last octet, or spills one.
    @Test(arguments: [(65_494, 1), (65_495, 2)])
    func `ends in a chunk that is never empty`(size: Int, chunks: Int) throws {
        let file = try written([[UInt8](repeating: 1, count: size)])
        let body = file.count - Self.lineSize(file)
        #expect(body == size + 5 + 5 + 32 + chunks * 16)
        #expect(try reader(of: file).recordCount == 1)
    }

    @Test func `is refused after a flip of a bit in any octet of it`() throws {
        let file = try written([Array("hello".utf8), Array("world".utf8)])
        // Each costs a passphrase, so one bit of each octet.
        for bit in file.indices.map({ $0 * 8 + $0 % 8 }) {
            // Another cost is no damage that can be told, and may be a high one.
            guard !(16 * 8..<23 * 8).contains(bit) else { continue }
            var flipped = file
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: BackupError.self, "bit \(bit)") { _ = try reader(of: flipped) }
        }
    }

    @Test func `is refused at every shorter length`() throws {
        let file = try written([[UInt8](repeating: 9, count: 3 * 65_536)])
        let line = Self.lineSize(file)
        let boundaries = (0...3).map { line + $0 * Self.chunk }
        for end in boundaries { #expect(throws: BackupError.truncated) { try reader(of: Array(file[..<end])) } }
        for end in boundaries.dropFirst().flatMap({ [$0 - 1, $0 + 1, $0 - 100] }) + [file.count - 1] {
            #expect(throws: BackupError.self, "\(end) octets") { try reader(of: Array(file[..<end])) }
        }
        #expect(throws: BackupError.damaged) { try reader(of: file + [0]) }
        #expect(throws: BackupError.damaged) { try reader(of: file + file.suffix(100)) }
    }

    @Test func `is refused with its chunks in another order, one twice or one missing`() throws {
        let file = try written([[UInt8](repeating: 9, count: 3 * 65_536)])
        let line = Array(file.prefix(Self.lineSize(file)))
        let chunks = stride(from: line.count, to: file.count, by: Self.chunk).map {
            Array(file[$0..<min(file.count, $0 + Self.chunk)])
        }
        #expect(chunks.count == 4)
        for order in [[1, 0, 2, 3], [0, 1, 1, 2, 3], [0, 2, 3], [1, 2, 3], [0, 1, 3], [3]] {
            let other = line + order.flatMap { chunks[$0] }
            #expect(throws: BackupError.damaged, "\(order)") { try reader(of: other) }
        }
    }

    @Test func `does not mix with another of the same passphrase`() throws {
        let record = [UInt8](repeating: 9, count: 2 * 65_536)
        let (one, other) = (try written([record]), try written([record]))
        #expect(one.prefix(Self.lineSize(one)) != other.prefix(Self.lineSize(one)))
        let mixed = one.prefix(one.count - 200) + other.suffix(200)
        #expect(throws: BackupError.damaged) { try reader(of: Array(mixed)) }
    }

    @Test func `opens with its passphrase alone`() throws {
        let file = try written([])
        for wrong in ["", "x", "correct horse battery staplf"] {
            #expect(throws: wrong.isEmpty ? BackupError.emptyPassphrase : .wrongPassphrase) {
                try BackupReader(passphrase: Array(wrong.utf8)) { Array(file.dropFirst(Int($0)).prefix($1)) }
            }
        }
        #expect(throws: BackupError.emptyPassphrase) {
            _ = try BackupWriter(identity, passphrase: []) { _ in }
        }
    }

    @Test func `that was never finished is cut short`() throws {
        var file: [UInt8] = []
        do {
            var writer = try BackupWriter(identity, passphrase: passphrase, cost: .trifling) { file += $0 }
            try writer.append([UInt8](repeating: 1, count: 200_000))
        }
        #expect(throws: BackupError.truncated) { try reader(of: file) }
    }

    @Test(arguments: [
        ("", BackupError.notABackup), ("hello\n", .notABackup), ("parley-identity-1 ed25519 00\n", .notABackup),
        ("parley-backup-2 whatever\n", .newerVersion), ("parley-backup-1\n", .damaged),
        ("parley-backup-1 30 8 1 \(salt) \(salt)\n", .damaged), ("parley-backup-1 17 99 1 \(salt) \(salt)\n", .damaged),
        ("parley-backup-1 17 8 99 \(salt) \(salt)\n", .damaged), ("parley-backup-1 10 8 1 00 \(salt)\n", .damaged),
        ("parley-backup-1 10 8 1 \(salt) 00\n", .wrongPassphrase),
        ("parley-backup-1 10 8 1 \(salt) \(salt)\n", .wrongPassphrase),
        (String(repeating: "x", count: 1000), .notABackup),
    ])
    func `is told from other files`(text: String, error: BackupError) {
        #expect(throws: error) { try reader(of: Array(text.utf8)) }
    }

    @Test func `refuses a record that its reader would`() throws {
        var writer = try BackupWriter(identity, passphrase: passphrase, cost: .trifling) { _ in }
        #expect(throws: BackupError.recordTooLong) {
            try writer.append([UInt8](repeating: 0, count: Backup.recordLimit + 1))
        }
        try writer.finish()
    }

    @Test func `hands errors of its file on`() {
        struct DiskFull: Error {}
        #expect(throws: DiskFull.self) {
            _ = try BackupWriter(identity, passphrase: passphrase, cost: .trifling) { _ in throw DiskFull() }
        }
        #expect(throws: DiskFull.self) {
            try BackupReader(passphrase: passphrase) { _, _ in throw DiskFull() }
        }
    }

    @Test func `is read in pieces of any size, a chunk at a time`() throws {
        let records = (0..<200).map { [UInt8](repeating: UInt8($0), count: 3_000) }
        let file = try written(records)
        var most = 0
        var reader = try BackupReader(passphrase: passphrase) { offset, count in
            most = max(most, count)
            return Array(file.dropFirst(Int(offset)).prefix(min(count, 1_000)))
        }
        for record in records { #expect(try reader.next() == record) }
        #expect(try reader.next() == nil)
        #expect(most == Self.chunk + 1)
    }

    @Test func `that shrinks after it was checked is noticed when it is used`() throws {
        let record = [UInt8](repeating: 9, count: 70_000)
        var file = try written([record, record, record])
        var reader = try BackupReader(passphrase: passphrase) { Array(file.dropFirst(Int($0)).prefix($1)) }
        #expect(try reader.next() == record)
        file.removeLast(1)
        #expect(throws: BackupError.damaged) { while try reader.next() != nil {} }
    }

    @Test func `says in one sentence what is wrong`() {
        let errors: [BackupError] = [
            .notABackup, .newerVersion, .wrongPassphrase, .damaged, .truncated, .emptyPassphrase, .noMemory,
            .recordTooLong,
        ]
        for error in errors {
            #expect("\(error)".hasSuffix(".") && "\(error)".contains("; ") || "\(error)".contains(", "))
        }
    }

    /// What is imported may be months old: the clock, not the backup, makes the next sequence the newest.
    @Test func `of any age is followed by a record that is newer than the last one`() throws {
        let lastSeen = WallTime(milliseconds: 1_764_000_000_000)
        let registered = PeerRecord.nextSequence(after: 1_763_000_000_000, now: lastSeen)
        let imported: UInt64 = 1_700_000_000_000
        for later in [1, 1_000, 86_400_000] as [Int64] {
            let now = WallTime(milliseconds: lastSeen.milliseconds + later)
            #expect(PeerRecord.nextSequence(after: imported, now: now) > registered)
        }
    }

    /// Written by Python:
    /// ```
    /// head = b"parley-backup-1 10 8 1 " + salt.hex().encode()
    /// box = ChaCha20Poly1305(hashlib.scrypt(b"correct horse battery staple", salt=salt, n=1024, r=8, p=1, dklen=32))
    /// nonce = lambda counter, mark: counter.to_bytes(11, "big") + bytes([mark])
    /// plain = b"\x01\0\0\0\x20" + seed + b"\x02\0\0\0\x05hello"
    /// head + b" " + box.encrypt(nonce(0, 2), b"", head).hex().encode() + b"\n" + box.encrypt(nonce(0, 1), plain, head)
    /// ```
    /// with `salt = bytes(range(16))` and `seed = bytes(range(32))`, in hex.
    @Test func `is read as another implementation wrote it`() throws {
        var reader = try reader(of: octets(Self.vector))
        #expect(reader.identity.seed == Array(0..<32))
        #expect(try reader.next() == Array("hello".utf8))
        #expect(try reader.next() == nil)
    }

    private static let vector = """
        7061726c65792d6261636b75702d31203130203820312030303031303230333034303530363037303830393061306230633064306530\
        662063633764303439333863383630653434393064336235313062626638353439390aeae7f62cd3759f24f866757ae40ee7d090ff9c\
        1606e547fd017439ead2be2a8468cf39e34f4862010679ed76623d4c1739292477519f9b406044a83c987ca7
        """

    // MARK: Files in the making

    private static let salt = String(repeating: "0f", count: 16)

    private static func lineSize(_ file: [UInt8]) -> Int { (file.firstIndex(of: UInt8(ascii: "\n")) ?? 0) + 1 }

    private func written(_ records: [[UInt8]]) throws -> [UInt8] {
        var file: [UInt8] = []
        var writer = try BackupWriter(identity, passphrase: passphrase, cost: .trifling) { file += $0 }
        for record in records { try writer.append(record) }
        try writer.finish()
        return file
    }

    private func reader(of file: [UInt8]) throws -> BackupReader {
        try BackupReader(passphrase: passphrase) { Array(file.dropFirst(Int($0)).prefix($1)) }
    }
}
