// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Model

/// The identity on disk: `<home>/identity`, one line `parley-identity-1 ed25519 <seed in lower-case hex>`, readable by
/// its owner alone.
///
/// A file that exists is never overwritten, and a crash never leaves half of one.
public enum IdentityFile {
    private static let name = "identity"
    private static let header = "parley-identity-1 ed25519 "
    private static let seedSize = 32

    /// Reads the identity; when there is none, makes one, with the directories that lead to it (0700). Of several
    /// programs that start at once all get the same.
    public static func loadOrCreate(
        home: String
    ) throws(IdentityFileError) -> (identity: Identity, created: Bool) {
        try makeDirectory(home)
        let directory = try openDirectory(home)
        do {
            return (try load(directory, home), created: false)
        } catch .missing {
            let identity = Identity()
            guard try create(identity, directory, home) else { return (try load(directory, home), created: false) }
            return (identity, created: true)
        }
    }

    /// Reads the identity and takes from others whatever right they have to its file and directory.
    public static func load(home: String) throws(IdentityFileError) -> Identity {
        try load(try openDirectory(home), home)
    }

    // MARK: Reading

    private static func load(_ directory: borrowing Descriptor, _ home: String) throws(IdentityFileError) -> Identity {
        let path = "\(home)/\(name)"
        // O_NONBLOCK: a pipe with this name must not hold the start.
        guard let file = Descriptor(openat(directory.number, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) else {
            switch errno {
            case ENOENT: throw .missing(path: path)
            case ELOOP, ENXIO: throw .notAFile(path: path)
            case let code: throw .unreadable(path: path, code: code)
            }
        }
        guard let status = file.status, status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        file.restrict(to: 0o600, from: status)
        directory.restrictDirectory()
        let line = String(decoding: try read(file, path), as: UTF8.self)
        guard line.hasPrefix(header), let seed = seed(line.dropFirst(header.count)), let identity = Identity(seed: seed)
        else { throw .damaged(path: path) }
        return identity
    }

    /// More than a whole file of ours has, so that a longer one is seen to be none.
    private static func read(_ file: borrowing Descriptor, _ path: String) throws(IdentityFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < 256 {
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = Glibc.read(file.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(path: path, code: errno) }
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        return bytes
    }

    /// 64 hex digits, then nothing but the line's end.
    private static func seed(_ text: Substring) -> [UInt8]? {
        var digits = Array(text.utf8)
        if digits.last == UInt8(ascii: "\n") { digits.removeLast() }
        let values = digits.compactMap(hexValue)
        guard digits.count == 2 * seedSize, values.count == digits.count else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }

    // MARK: Making

    /// Writes a whole file beside the place and links it there, which fails if another program was faster.
    /// - Returns: whether it is this identity that is kept now.
    private static func create(
        _ identity: Identity, _ directory: borrowing Descriptor, _ home: String
    ) throws(IdentityFileError) -> Bool {
        let draft = ".\(name).\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        guard let file = Descriptor(openat(directory.number, draft, flags, 0o600 as mode_t)) else {
            throw .unwritable(home: home, code: errno)
        }
        defer { unlinkat(directory.number, draft, 0) }
        // The umask may have taken rights from the owner too.
        guard fchmod(file.number, 0o600) == 0, file.write(line(identity)), fsync(file.number) == 0 else {
            throw .unwritable(home: home, code: errno)
        }
        guard linkat(directory.number, draft, directory.number, name, 0) == 0 else {
            if errno == EEXIST { return false }
            throw .unwritable(home: home, code: errno)
        }
        directory.restrictDirectory()
        guard fsync(directory.number) == 0 else { throw .unwritable(home: home, code: errno) }
        return true
    }

    private static func line(_ identity: Identity) -> [UInt8] {
        Array(header.utf8) + identity.seed.flatMap { [hexDigit($0 >> 4), hexDigit($0 & 0xF)] } + [UInt8(ascii: "\n")]
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
        guard let directory = Descriptor(open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else {
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
