// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A variable of the environment.
public func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Where a program's data lie when nobody says otherwise: `program` in XDG_DATA_HOME, else in `~/.local/share`.
/// - Parameter option: the option that says otherwise.
public func defaultDataDirectory(_ program: String, option: String) throws(ProgramFailure) -> String {
    // A relative path in the variable counts as none (XDG Base Directory Specification 0.8).
    if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/" + program }
    guard let user = environment("HOME"), !user.isEmpty else {
        throw ProgramFailure(.failure, "Neither HOME nor XDG_DATA_HOME is set; say where to live with \(option).")
    }
    return user + "/.local/share/" + program
}
