// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Model

/// The identity on disk: `<home>/identity`, one line, readable by its owner alone; under a passphrase if the user
/// wants.
///
/// A file that exists is never overwritten but by ``setPassphrase(home:old:new:)``, and a crash never leaves half of
/// one.
public enum IdentityFile {
    private static let name = "identity"

    /// Reads the identity; when there is none, makes one, with the directories that lead to it (0700). Of several
    /// programs that start at once all get the same.
    /// - Parameters:
    ///   - passphrase: what opens the file if it is protected, and protects it if it is made.
    ///   - isHomeShared: whether others may have rights to the directory; else they lose them.
    /// - Throws: `passphraseNeeded` when the file is protected and none is given: ask for it, and call again.
    public static func loadOrCreate(
        home: String, passphrase: [UInt8]? = nil, isHomeShared: Bool = false
    ) throws(IdentityFileError) -> (identity: Identity, created: Bool) {
        try loadOrCreate(home: home, passphrase: passphrase, isHomeShared: isHomeShared, cost: .standard)
    }

    package static func loadOrCreate(
        home: String, passphrase: [UInt8]?, isHomeShared: Bool = false, cost: PassphraseCost
    ) throws(IdentityFileError) -> (identity: Identity, created: Bool) {
        try makeDirectory(home)
        let directory = try openDirectory(home)
        if !isHomeShared { directory.restrictDirectory() }
        do {
            return (try load(directory, home, passphrase), created: false)
        } catch .missing {
            let identity = Identity()
            let line = try line(identity, passphrase, cost, home)
            guard try create(line, directory, home) else {
                return (try load(directory, home, passphrase), created: false)
            }
            return (identity, created: true)
        }
    }

    /// Puts an identity from elsewhere into a home that has none; one that is there already stays.
    /// - Returns: whether it is this identity's file that is kept now.
    @discardableResult
    public static func adopt(
        _ identity: Identity, home: String, passphrase: [UInt8]? = nil
    ) throws(IdentityFileError) -> Bool {
        try makeDirectory(home)
        return try create(try line(identity, passphrase, .standard, home), try openDirectory(home), home)
    }

    /// Reads the identity and takes from others whatever right they have to its file and directory.
    /// - Throws: `passphraseNeeded` when the file is protected and no passphrase is given: ask for it, and call again.
    public static func load(home: String, passphrase: [UInt8]? = nil) throws(IdentityFileError) -> Identity {
        let directory = try openDirectory(home)
        let identity = try load(directory, home, passphrase)
        directory.restrictDirectory()
        return identity
    }

    /// Protects the identity by a passphrase, by another one, or (`nil`) no longer. The new file takes the old one's
    /// place as a whole and only when it is known to open again; until then the old one stands.
    ///
    /// The disk may hold the octets of the old file for a while longer, as it does with any file that is deleted.
    /// - Throws: `passphraseNeeded`, `wrongPassphrase`, `emptyPassphrase`, and what reading and writing throw.
    public static func setPassphrase(home: String, old: [UInt8]?, new: [UInt8]?) throws(IdentityFileError) {
        try setPassphrase(home: home, old: old, new: new, cost: .standard)
    }

    package static func setPassphrase(
        home: String, old: [UInt8]?, new: [UInt8]?, cost: PassphraseCost
    ) throws(IdentityFileError) {
        let directory = try openDirectory(home)
        let identity = try load(directory, home, old)
        let line = try line(identity, new, cost, home)
        guard try open(line, "\(home)/\(name)", new).seed == identity.seed else {
            throw .damaged(path: "\(home)/\(name)")
        }
        try withDraft(line, directory, home) { (draft) throws(IdentityFileError) in
            guard renameat(directory.number, draft, directory.number, name) == 0 else {
                throw .unwritable(home: home, code: errno)
            }
            guard fsync(directory.number) == 0 else { throw .unwritable(home: home, code: errno) }
        }
    }

    // MARK: Reading

    private static func load(
        _ directory: borrowing Descriptor, _ home: String, _ passphrase: [UInt8]?
    ) throws(IdentityFileError) -> Identity {
        let path = "\(home)/\(name)"
        // O_NONBLOCK: a pipe with this name must not hold the start.
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        guard let file = Descriptor(openat(directory.number, name, flags)) else {
            switch errno {
            case ENOENT: throw .missing(path: path)
            case ELOOP, ENXIO: throw .notAFile(path: path)
            case let code: throw .unreadable(path: path, code: code)
            }
        }
        guard let status = file.status, status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        file.restrict(to: 0o600, from: status)
        return try open(try read(file, path), path, passphrase)
    }

    private static func open(
        _ bytes: [UInt8], _ path: String, _ passphrase: [UInt8]?
    ) throws(IdentityFileError) -> Identity {
        switch IdentityLine(String(decoding: bytes, as: UTF8.self)) {
        case .plain(let identity): return identity
        case .sealed(let sealed):
            guard let passphrase else { throw .passphraseNeeded(path: path) }
            switch sealed.open(passphrase) {
            case .identity(let identity): return identity
            case .wrongPassphrase: throw .wrongPassphrase(path: path)
            case .noMemory: throw .noMemory
            }
        case nil: throw .damaged(path: path)
        }
    }

    /// More than a whole file of ours has, so that a longer one is seen to be none.
    private static func read(_ file: borrowing Descriptor, _ path: String) throws(IdentityFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < IdentityLine.sizeLimit {
            var buffer = [UInt8](repeating: 0, count: IdentityLine.sizeLimit)
            let count = Glibc.read(file.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(path: path, code: errno) }
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        return bytes
    }

    // MARK: Making

    private static func line(
        _ identity: Identity, _ passphrase: [UInt8]?, _ cost: PassphraseCost, _ home: String
    ) throws(IdentityFileError) -> [UInt8] {
        guard let passphrase else { return IdentityLine.plain(of: identity) }
        guard !passphrase.isEmpty else { throw .emptyPassphrase }
        var random = RandomSource.system
        guard let line = IdentityLine.sealed(of: identity, passphrase: passphrase, cost: cost, random: &random)
        else { throw .noMemory }
        return line
    }

    /// Links a whole file to its place, which fails if another program was faster.
    /// - Returns: whether it is this line that is kept now.
    private static func create(
        _ line: [UInt8], _ directory: borrowing Descriptor, _ home: String
    ) throws(IdentityFileError) -> Bool {
        var isKept = true
        try withDraft(line, directory, home) { (draft) throws(IdentityFileError) in
            guard linkat(directory.number, draft, directory.number, name, 0) == 0 else {
                guard errno == EEXIST else { throw .unwritable(home: home, code: errno) }
                isKept = false
                return
            }
            guard fsync(directory.number) == 0 else { throw .unwritable(home: home, code: errno) }
        }
        return isKept
    }

    /// Writes a whole file beside the place, for `body` to put there.
    private static func withDraft(
        _ line: [UInt8], _ directory: borrowing Descriptor, _ home: String,
        _ body: (String) throws(IdentityFileError) -> Void
    ) throws(IdentityFileError) {
        let draft = ".\(name).\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        guard let file = Descriptor(openat(directory.number, draft, flags, 0o600 as mode_t)) else {
            throw .unwritable(home: home, code: errno)
        }
        defer { unlinkat(directory.number, draft, 0) }
        // The umask may have taken rights from the owner too.
        guard fchmod(file.number, 0o600) == 0, file.write(line), fsync(file.number) == 0 else {
            throw .unwritable(home: home, code: errno)
        }
        try body(draft)
    }

    /// Makes a directory and those above it where they are missing, for the user alone whatever the umask.
    private static func makeDirectory(_ path: String) throws(IdentityFileError) {
        if mkdir(path, 0o700) == 0 {
            guard chmod(path, 0o700) == 0 else { throw .unwritable(home: path, code: errno) }
            return
        }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let parent = parent(of: path) else { throw .unwritable(home: path, code: ENOENT) }
            try makeDirectory(parent)
            guard mkdir(path, 0o700) == 0 else {
                if errno == EEXIST { return }
                throw .unwritable(home: path, code: errno)
            }
            guard chmod(path, 0o700) == 0 else { throw .unwritable(home: path, code: errno) }
        case let code: throw .unwritable(home: path, code: code)
        }
    }

    private static func parent(of path: String) -> String? {
        let trimmed = path.reversed().drop { $0 == "/" }
        let above = trimmed.drop { $0 != "/" }.drop { $0 == "/" }
        return above.isEmpty ? nil : String(above.reversed())
    }

    private static func openDirectory(_ home: String) throws(IdentityFileError) -> Descriptor {
        guard let directory = Descriptor(Glibc.open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else {
            switch errno {
            case ENOENT: throw .missing(path: "\(home)/\(name)")
            case ENOTDIR: throw .notADirectory(path: home)
            case let code: throw .unreadable(path: home, code: code)
            }
        }
        return directory
    }
}

/// An open file; closed when it goes.
private struct Descriptor: ~Copyable {
    let number: Int32

    init?(_ number: Int32) {
        guard number >= 0 else { return nil }
        self.number = number
    }

    deinit { close(number) }

    var status: stat? {
        var status = stat()
        return fstat(number, &status) == 0 ? status : nil
    }

    /// Takes away rights beyond `mode` if the file is ours to change. A file system without modes can't; nor is that a
    /// reason not to start.
    func restrict(to mode: mode_t, from status: stat) {
        guard status.st_uid == geteuid(), status.st_mode & 0o777 & ~mode != 0 else { return }
        _ = fchmod(number, mode)
    }

    /// Takes others' rights to a directory away, unless it is shared on purpose: sticky, or the root.
    func restrictDirectory() {
        var root = stat()
        guard let status, status.st_mode & S_ISVTX == 0, stat("/", &root) == 0,
            (status.st_dev, status.st_ino) != (root.st_dev, root.st_ino)
        else { return }
        restrict(to: 0o700, from: status)
    }

    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
