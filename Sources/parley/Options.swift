// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import Glibc
import Model
import Network
import Wire

/// The options of every subcommand, before or after its name.
struct Options: ParsableArguments {
    @Option(help: ArgumentHelp("What the screen calls you; it is not told to anyone.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Where everything of one user lies. Two homes are two people.", valueName: "dir"))
    var home: String?

    @Option(
        help: ArgumentHelp(
            "Where to listen: PORT, ADDR:PORT or [V6]:PORT. Default: all addresses, the port of the last run, or any.",
            valueName: "where"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "An index server; may be given more than once. 'none' for none. Default: 127.0.0.1:\(WireLimits.indexPort).",
            valueName: "host:port"))
    var index: [String] = []

    @Flag(help: "Talk to peers that have no key. Anyone on the way can read and forge what is said with them.")
    var plaintextPeers = false

    @Flag(help: "Draw with ASCII alone.")
    var ascii = false

    @Option(help: ArgumentHelp("When to use colour: auto, always or never.", valueName: "when"))
    var color = ColorChoice.auto

    enum ColorChoice: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

    func validate() throws {
        if let listen, ListenAddress(listen) == nil {
            throw ValidationError("'\(listen)' is no PORT, ADDR:PORT or [V6]:PORT for --listen.")
        }
        for server in index where server.contains("#") {
            throw ValidationError("This version can't check an index server's key; leave '#…' off '\(server)'.")
        }
    }

    /// The servers to ask, as the user wrote them.
    var indexServers: [String] {
        index.isEmpty ? ["127.0.0.1:\(WireLimits.indexPort)"] : index.filter { $0 != "none" }
    }

    /// The home directory: `--home`, else `parley` in XDG_DATA_HOME, else in `~/.local/share`.
    var homePath: String {
        get throws(ProgramFailure) {
            if let home { return home }
            // A relative path in the variable counts as none (XDG Base Directory Specification 0.8).
            if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/parley" }
            guard let user = environment("HOME"), !user.isEmpty else {
                throw ProgramFailure(.failure, "Neither HOME nor XDG_DATA_HOME is set; say where to live with --home.")
            }
            return user + "/.local/share/parley"
        }
    }

    /// Own name on the screen.
    var ownName: String { name ?? environment("USER") ?? "me" }

    /// NO_COLOR (no-color.org) forbids colour unless the command line asks for it.
    var noColor: Bool {
        switch color {
        case .always: false
        case .never: true
        case .auto: environment("NO_COLOR").map { !$0.isEmpty } ?? false
        }
    }
}

/// A variable of the environment.
func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
