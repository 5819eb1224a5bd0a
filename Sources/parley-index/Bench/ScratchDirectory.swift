// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc

/// A directory on the disk for as long as it is held. In /var/tmp: /tmp may be memory, where nothing is durable.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws(ProgramFailure) {
        var template = Array("/var/tmp/parley-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ProgramFailure(.failure, "No directory could be made in /var/tmp.")
        }
        path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        // Servers that run as somebody else must get in.
        chmod(path, 0o755)
    }

    deinit { removeTree(path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ text: String, to name: String) throws(ProgramFailure) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        defer { close(descriptor) }
        guard descriptor >= 0, writeAll(Array(text.utf8), to: descriptor) else {
            throw ProgramFailure(.failure, "\(file(name)) could not be written.")
        }
    }
}

private func removeTree(_ path: String) {
    guard unlink(path) != 0 else { return }
    namesIn(path).forEach { removeTree(path + "/" + $0) }
    rmdir(path)
}
