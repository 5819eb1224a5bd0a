// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
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

    @Flag(help: "Chat in finished lines, without a full screen: for screen readers and slow links.")
    var plain = false

    @OptionGroup var screen: ScreenArguments

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
            return try defaultDataDirectory("parley", option: "--home")
        }
    }

    /// Own name on the screen.
    var ownName: String { name ?? environment("USER") ?? "me" }
}
