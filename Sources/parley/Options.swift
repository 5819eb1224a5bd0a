// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import Identity
import Model
import Network
import Wire

/// The options of every subcommand, before or after its name.
struct Options: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What you call yourself. Contacts are told; the screen shows it as your own.", valueName: "name"))
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
            """
            An index server; may be given more than once. 'none' for none. Default: 127.0.0.1:\(WireLimits.indexPort). With \
            '#KEY' only the holder of that key is believed.
            """,
            valueName: "host:port[#key]"))
    var index: [String] = []

    @Flag(help: "Talk to peers that have no key. Anyone on the way can read and forge what is said with them.")
    var plaintextPeers = false

    @Flag(
        help: """
            Be reached through relays alone, so that the other side does not learn your address. Needs an index server that \
            relays.
            """)
    var relayOnly = false

    @Flag(help: "Never ask the router to open a port (PCP, NAT-PMP, UPnP).")
    var noPortMapping = false

    @Flag(help: "Chat in finished lines, without a full screen: for screen readers and slow links.")
    var plain = false

    @Option(
        help: ArgumentHelp(
            "Where the identity's passphrase comes from, in its first line. Default: the terminal, if it has one.",
            valueName: "n"))
    var passphraseFd: Int32?

    @OptionGroup var screen: ScreenArguments

    func validate() throws {
        if let listen, ListenAddress(listen) == nil {
            throw ValidationError("'\(listen)' is no PORT, ADDR:PORT or [V6]:PORT for --listen.")
        }
        for server in index where server != "none" && Options.hint(server) == nil {
            throw ValidationError(
                "'\(server)' is no HOST:PORT or HOST:PORT#KEY for --index, with a port from 1 to 65535; the server shows its key."
            )
        }
        if let passphraseFd, passphraseFd < 0 {
            throw ValidationError("'\(passphraseFd)' is no descriptor for --passphrase-fd.")
        }
    }

    /// The servers to ask.
    var indexServers: [Invite.IndexHint] {
        index.isEmpty ? [Invite.IndexHint(server: "127.0.0.1:\(WireLimits.indexPort)")] : namedServers
    }

    /// Those that the user named: the only ones that an invite may name, for the default is another machine for
    /// everybody.
    var namedServers: [Invite.IndexHint] { index.filter { $0 != "none" }.compactMap { Options.hint($0) } }

    /// A server with its port.
    private static func hint(_ text: String) -> Invite.IndexHint? {
        guard var hint = Invite.IndexHint(text),
            let server = HostResolver.server(hint.server, defaultPort: WireLimits.indexPort)
        else { return nil }
        hint.server = server
        return hint
    }

    var passphrase: Passphrase { Passphrase(descriptor: passphraseFd) }

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
