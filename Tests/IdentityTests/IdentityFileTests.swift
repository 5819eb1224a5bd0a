// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Identity
import Testing

@Suite struct `The identity file` {
    @Test(arguments: [0o000, 0o022, 0o777] as [mode_t])
    func `is the user's alone whatever the umask`(mask: mode_t) throws {
        let scratch = try Scratch()
        let home = scratch.path + "/parents/too/home"
        let modes = onOwnThread {
            umask(mask)
            _ = try? IdentityFile.loadOrCreate(home: home)
            return ["/identity", "", "/..", "/../.."].map { mode(home + $0) }
        }
        #expect(modes == [0o600, 0o700, 0o700, 0o700])
    }

    @Test func `is made once and then read`() throws {
        let scratch = try Scratch()
        let first = try IdentityFile.loadOrCreate(home: scratch.path)
        let second = try IdentityFile.loadOrCreate(home: scratch.path + "/")
        #expect(first.created)
        #expect(!second.created)
        #expect(first.identity.seed == second.identity.seed)
        #expect(try IdentityFile.load(home: scratch.path).peer == first.identity.peer)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["identity"], "no draft is left")
    }

    @Test func `is one line with the seed in hex`() throws {
        let scratch = try Scratch()
        let made = try IdentityFile.loadOrCreate(home: scratch.path).identity
        let hex = made.seed.map { String(format: "%02x", $0) }.joined()
        #expect(try scratch.read() == "parley-identity-1 ed25519 \(hex)\n")
    }

    @Test func `is the same for programs that start at once`() async throws {
        for _ in 0..<20 {
            let scratch = try Scratch()
            let home = scratch.path + "/home"
            let outcomes = await withTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask { onOwnThread { try? IdentityFile.loadOrCreate(home: home) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let made = outcomes.compactMap(\.self)
            #expect(made.count == 8)
            #expect(made.count { $0.created } == 1)
            #expect(Set(made.map(\.identity.peer)).count == 1)
            #expect(try made.first?.identity.peer == IdentityFile.load(home: home).peer)
        }
    }

    @Test func `loses the rights that others have`() throws {
        let scratch = try Scratch()
        _ = try IdentityFile.loadOrCreate(home: scratch.path)
        chmod(scratch.path + "/identity", 0o644)
        chmod(scratch.path, 0o755)
        _ = try IdentityFile.load(home: scratch.path)
        #expect(mode(scratch.path + "/identity") == 0o600)
        #expect(mode(scratch.path) == 0o700)
    }

    @Test func `leaves the directory of a program that shares it as it is`() throws {
        let scratch = try Scratch()
        chmod(scratch.path, 0o750)
        for _ in 0..<2 {
            _ = try IdentityFile.loadOrCreate(home: scratch.path, isHomeShared: true)
            #expect(mode(scratch.path) == 0o750)
            #expect(mode(scratch.path + "/identity") == 0o600)
        }
    }

    @Test func `leaves a directory that is shared on purpose as it is`() throws {
        let scratch = try Scratch()
        chmod(scratch.path, 0o1777)
        _ = try IdentityFile.loadOrCreate(home: scratch.path)
        #expect(mode(scratch.path) == 0o1777)
        #expect(mode(scratch.path + "/identity") == 0o600)
    }

    @Test(arguments: [
        "",
        "\n",
        "parley-identity-1 ed25519 \n",
        "parley-identity-1 ed25519 " + String(repeating: "0", count: 63) + "\n",
        "parley-identity-1 ed25519 " + String(repeating: "0", count: 65) + "\n",
        "parley-identity-1 ed25519 " + String(repeating: "0", count: 63) + "g\n",
        "parley-identity-1 ed25519 " + String(repeating: "0", count: 64) + "\n\n",
        "parley-identity-1 ed25519 " + String(repeating: "0", count: 64) + "\nmore\n",
        "parley-identity-2 ed25519 " + String(repeating: "0", count: 64) + "\n",
        "parley-identity-1 ed448 " + String(repeating: "0", count: 64) + "\n",
        String(repeating: "x", count: 100_000),
    ])
    func `is refused when damaged, and never overwritten`(content: String) throws {
        let scratch = try Scratch()
        try scratch.write(content)
        let fault = IdentityFileError.damaged(path: scratch.path + "/identity")
        #expect(throws: fault) { try IdentityFile.loadOrCreate(home: scratch.path) }
        #expect(throws: fault) { try IdentityFile.load(home: scratch.path) }
        #expect(try scratch.read() == content)
    }

    @Test func `may have lost its line end or have upper-case digits`() throws {
        let scratch = try Scratch()
        try scratch.write("parley-identity-1 ed25519 " + String(repeating: "aB", count: 32))
        #expect(try IdentityFile.load(home: scratch.path).seed == Array(repeating: 0xAB, count: 32))
    }

    @Test func `is missing until it is made`() throws {
        let scratch = try Scratch()
        #expect(throws: IdentityFileError.missing(path: scratch.path + "/identity")) {
            try IdentityFile.load(home: scratch.path)
        }
        let nowhere = scratch.path + "/nowhere"
        #expect(throws: IdentityFileError.missing(path: nowhere + "/identity")) { try IdentityFile.load(home: nowhere) }
        #expect(mode(nowhere) == nil, "looking makes nothing")
    }

    @Test(
        arguments: [
            { (path: String) in mkdir(path, 0o700) },
            { (path: String) in symlink("/etc/hostname", path) },
            { (path: String) in symlink("/nowhere", path) },
            { (path: String) in mkfifo(path, 0o600) },
        ] as [@Sendable (String) -> Int32])
    func `is refused when something else has its name`(make: @Sendable (String) -> Int32) throws {
        let scratch = try Scratch()
        #expect(make(scratch.path + "/identity") == 0)
        #expect(throws: IdentityFileError.notAFile(path: scratch.path + "/identity")) {
            try IdentityFile.loadOrCreate(home: scratch.path)
        }
    }

    @Test func `is refused when its home is a file`() throws {
        let scratch = try Scratch()
        try scratch.write("text")
        let home = scratch.path + "/identity"
        #expect(throws: IdentityFileError.notADirectory(path: home)) { try IdentityFile.loadOrCreate(home: home) }
        #expect(throws: IdentityFileError.unwritable(home: home + "/below", code: ENOTDIR)) {
            try IdentityFile.loadOrCreate(home: home + "/below")
        }
    }

    @Test(arguments: ["", "/", "//"])
    func `needs a home with a name`(home: String) {
        let fault = onOwnThread {
            dropFileRights()
            return failure(home: home)
        }
        #expect(fault != nil)
    }

    @Test func `is refused when it may not be read`() throws {
        let scratch = try Scratch()
        _ = try IdentityFile.loadOrCreate(home: scratch.path)
        chmod(scratch.path, 0o755)
        chmod(scratch.path + "/identity", 0)
        let home = scratch.path
        let fault = onOwnThread {
            dropFileRights()
            return failure(home: home)
        }
        #expect(fault == .unreadable(path: home + "/identity", code: EACCES))
    }

    @Test func `is refused where nothing may be written`() throws {
        let scratch = try Scratch()
        chmod(scratch.path, 0o555)
        let home = scratch.path
        let faults = onOwnThread {
            dropFileRights()
            return [home, home + "/below"].map(failure(home:))
        }
        #expect(
            faults == [
                .unwritable(home: home, code: EACCES), .unwritable(home: home + "/below", code: EACCES),
            ])
    }

    @Test(.enabled(if: onOwnThread { mountOnePage(at: "/tmp") }, "needs the right to mount"))
    func `is refused when the disk is full, without a trace`() throws {
        let scratch = try Scratch()
        let home = scratch.path
        let (fault, left): (IdentityFileError?, [String]?) = onOwnThread {
            _ = mountOnePage(at: home)
            _ = FileManager.default.createFile(atPath: home + "/filler", contents: Data(count: 4096))
            let failed = failure(home: home)
            return (failed, try? FileManager.default.contentsOfDirectory(atPath: home))
        }
        #expect(fault == .unwritable(home: home, code: ENOSPC))
        #expect(left == ["filler"])
    }

    @Test func `says in one sentence what happened and what to do`() {
        let faults: [IdentityFileError] = [
            .missing(path: "/h/identity"), .damaged(path: "/h/identity"), .notAFile(path: "/h/identity"),
            .notADirectory(path: "/h"), .unreadable(path: "/h", code: EACCES), .unwritable(home: "/h", code: ENOSPC),
        ]
        for fault in faults {
            let text = "\(fault)"
            #expect(text.contains("/h") && text.contains("; ") && text.hasSuffix(".") && !text.contains("\n"))
        }
        #expect(faults.last?.description.contains("no space left on device") == true)
    }
}

/// A directory that goes with the test.
private final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "parley-test-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        chmod(path, 0o700)
        try? FileManager.default.removeItem(atPath: path)
    }

    func read() throws -> String { try String(contentsOfFile: path + "/identity", encoding: .utf8) }

    func write(_ content: String) throws {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path + "/identity"))
    }
}

private func mode(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
}

private func failure(home: String) -> IdentityFileError? {
    do throws(IdentityFileError) {
        _ = try IdentityFile.loadOrCreate(home: home)
        return nil
    } catch {
        return error
    }
}
