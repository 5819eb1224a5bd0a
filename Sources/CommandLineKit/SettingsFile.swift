// SPDX-License-Identifier: GPL-3.0-or-later

/// A file of settings, in the part of TOML 1.0 (toml.io) that settings need: `key = value` lines, one level of
/// `[section]`, comments. A value is a string, a whole number, `true` or `false`.
///
/// Reading is total: whatever the bytes, each line is an entry, nothing, or a fault that says what is wrong with it.
public struct SettingsFile: Equatable, Sendable {
    /// Bytes at most; a larger file is one fault and no entries.
    public static let sizeLimit = 64 * 1024
    /// Faults told at most; what is wrong further down is told when these are mended.
    public static let faultLimit = 20
    static let keyLimit = 64

    public enum Value: Equatable, Sendable {
        case string(String)
        case integer(Int64)
        case boolean(Bool)
    }

    /// One setting and where it stands.
    public struct Entry: Equatable, Sendable {
        /// With its section, as `section.key`, where it stands in one.
        public var key: String
        public var value: Value
        /// From 1.
        public var line: Int

        public init(key: String, value: Value, line: Int) {
            self.key = key
            self.value = value
            self.line = line
        }
    }

    /// What is wrong with a line.
    public struct Fault: Error, Equatable, Sendable {
        /// From 1.
        public var line: Int
        /// A sentence without its first capital and full stop; it may hold foreign text.
        public var reason: String

        public init(line: Int, reason: String) {
            self.line = line
            self.reason = reason
        }
    }

    /// In the order of the file; no key twice.
    public private(set) var entries: [Entry] = []
    /// In the order of the file.
    public private(set) var faults: [Fault] = []

    private var section = ""
    private var lines: [String: Int] = [:]

    /// Reads the file's bytes.
    public init(parsing bytes: [UInt8]) {
        guard bytes.count <= SettingsFile.sizeLimit else {
            faults = [Fault(line: 1, reason: "the file has more than \(SettingsFile.sizeLimit) bytes")]
            return
        }
        let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        let text = hasMark ? bytes.dropFirst(3) : bytes[...]
        for (index, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            guard faults.count < SettingsFile.faultLimit else { return }
            let line = line.last == 0x0D ? line.dropLast() : line
            do throws(SettingsLine.Fault) {
                try take(SettingsLine(parsing: line), line: index + 1)
            } catch {
                faults.append(Fault(line: index + 1, reason: error.reason))
            }
        }
    }

    private mutating func take(_ parsed: SettingsLine, line: Int) throws(SettingsLine.Fault) {
        switch parsed {
        case .empty: return
        case .section(let name): section = name + "."
        case .entry(let key, let value):
            let key = section + key
            if let first = lines[key] { throw SettingsLine.Fault("'\(key)' stands in line \(first) already") }
            lines[key] = line
            entries.append(Entry(key: key, value: value, line: line))
        }
    }
}

extension SettingsFile.Value: CustomStringConvertible {
    /// As it would be written: a string as it is, without quotes.
    public var description: String {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .boolean(let flag): "\(flag)"
        }
    }
}
