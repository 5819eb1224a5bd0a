// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit

/// A settings' file: each line is an entry, nothing or a fault, in order, whatever ends the lines.
struct SettingsFuzz {
    let bytes: [UInt8]

    /// - Returns: the promise that was broken.
    func fault() -> String? {
        let file = SettingsFile(parsing: bytes)
        let lines = bytes.count { $0 == 0x0A } + 1
        let told = file.entries.map(\.line) + file.faults.map(\.line)
        guard Set(told).count == told.count else { return "a line is told twice: \(told)" }
        guard told.allSatisfy({ (1...lines).contains($0) }) else { return "\(told) of \(lines) lines" }
        for lines in [file.entries.map(\.line), file.faults.map(\.line)] where lines != lines.sorted() {
            return "out of order: \(lines)"
        }
        guard file.faults.count <= SettingsFile.faultLimit else { return "\(file.faults.count) faults" }
        guard Set(file.entries.map(\.key)).count == file.entries.count else { return "a key twice" }
        guard !bytes.contains(0x0D), bytes.count + lines <= SettingsFile.sizeLimit else { return nil }
        let carried = SettingsFile(
            parsing: Array(
                bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
                    .map { Array($0) }.joined(separator: [0x0D, 0x0A])))
        return carried == file ? nil : "with CRLF \(carried), without \(file)"
    }
}
