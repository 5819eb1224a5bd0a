// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Queues

/// Where a setting's value comes from, the strongest first.
public enum SettingOrigin: Hashable, Sendable {
    case flag(String)
    case environment(String)
    case file(path: String, line: Int)
    case builtIn
}

extension SettingOrigin: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let name): name
        case .environment(let name): name
        case .file(let path, let line): "\(path):\(line)"
        case .builtIn: "default"
        }
    }
}

/// Everything that was said about a program's settings, before anyone asks what it means: flags over the environment
/// over the user's file over the machine's.
public struct SettingsLayers: Equatable, Sendable {
    /// A file that was read.
    public struct File: Equatable, Sendable {
        public var path: String
        public var contents: SettingsFile

        public init(path: String, contents: SettingsFile) {
            self.path = path
            self.contents = contents
        }
    }

    /// Key → value, of the command line.
    public var flags: [String: String]
    /// Key → value, of the environment.
    public var environment: [String: String]
    /// The strongest first.
    public var files: [File]
    private let variable: String

    /// - Parameter variables: what the names of environment variables begin with, as `PARLEY_INDEX_`.
    public init(
        flags: [String: String] = [:], environment: [String: String] = [:], files: [File] = [], variables: String
    ) {
        self.flags = flags
        self.environment = environment
        self.files = files
        variable = variables
    }

    /// What holds for a key; `nil` when nobody said anything.
    public subscript(key: String) -> (value: SettingsFile.Value, origin: SettingOrigin)? {
        if let text = flags[key] { return (.string(text), .flag(flagName(key))) }
        if let text = environment[key] { return (.string(text), .environment(variableName(key))) }
        for file in files {
            if let entry = file.contents.entries.first(where: { $0.key == key }) {
                return (entry.value, .file(path: file.path, line: entry.line))
            }
        }
        return nil
    }

    /// `log_format` → `--log-format`.
    public func flagName(_ key: String) -> String { "--" + key.replacing("_", with: "-") }

    /// `log_format` → `PARLEY_INDEX_LOG_FORMAT`.
    public func variableName(_ key: String) -> String { variable + key.uppercased() }

    /// A sentence for each entry of a file that no key of `known` has, with the key that was meant.
    public func unknownEntries(known: [String]) -> [String] {
        files.flatMap { file in
            file.contents.entries.filter { !known.contains($0.key) }.map { entry in
                let meant = nearMatch(entry.key.replacing(".", with: "_"), among: known)
                let hint = meant.map { "; did you mean '\($0)'?" } ?? "."
                return "\(file.path):\(entry.line): unknown key '\(entry.key)'\(hint)"
            }
        }
    }

    /// A sentence for each line of a file that can't be read.
    public var faults: [String] {
        files.flatMap { file in file.contents.faults.map { "\(file.path):\($0.line): \($0.reason)." } }
    }
}

extension SettingsLayers.File {
    /// Reads a file; `nil` when there is none.
    /// - Throws: when it is there and can't be read.
    public init?(readingAt path: String) throws(ProgramFailure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        if descriptor < 0, errno == ENOENT || errno == ENOTDIR { return nil }
        // One byte more than allowed, which the parser then says.
        guard descriptor >= 0, let bytes = readAll(descriptor, limit: SettingsFile.sizeLimit + 1) else {
            let reason = systemReason(errno)
            if descriptor >= 0 { close(descriptor) }
            throw ProgramFailure(.failure, "The settings in \(path) can't be read: \(reason).")
        }
        close(descriptor)
        self.init(path: path, contents: SettingsFile(parsing: bytes))
    }
}

/// - Returns: `nil` with `errno` when reading fails.
private func readAll(_ descriptor: Int32, limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
        let count = read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { return nil }
        guard count > 0 else { break }
        bytes += buffer.prefix(count)
    }
    return bytes
}

/// Where settings are looked for when nobody names a file, the strongest first: the user's, then the machine's.
public func settingsPaths(_ program: String) -> [String] {
    let machine = "/etc/\(program).toml"
    // A relative path in the variable counts as none (XDG Base Directory Specification 0.8).
    if let directory = environment("XDG_CONFIG_HOME"), directory.hasPrefix("/") {
        return ["\(directory)/\(program)/config.toml", machine]
    }
    guard let user = environment("HOME"), user.hasPrefix("/") else { return [machine] }
    return ["\(user)/.config/\(program)/config.toml", machine]
}
