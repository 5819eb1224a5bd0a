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
        for server in index where server != "none" { _ = try IndexServerName(server) }
        if let passphraseFd, passphraseFd < 0 {
            throw ValidationError("'\(passphraseFd)' is no descriptor for --passphrase-fd.")
        }
    }

    /// The servers to ask.
    var indexServers: [IndexServerName] {
        get throws(ProgramFailure) {
            guard !index.isEmpty else { return [.ours] }
            do { return try index.filter { $0 != "none" }.map { try IndexServerName($0) } } catch {
                throw ProgramFailure(.usage, "\(error)")
            }
        }
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

/// `HOST:PORT[#KEY]`, as `--index` takes it.
struct IndexServerName: Sendable {
    /// The default: one on this machine.
    static let ours = IndexServerName(name: "127.0.0.1:\(WireLimits.indexPort)", key: nil)

    /// `HOST:PORT`.
    let name: String
    /// Whom alone to believe.
    let key: PeerKey?

    private init(name: String, key: PeerKey?) {
        self.name = name
        self.key = key
    }

    /// - Throws: `ValidationError` for something behind a `#` that is no key.
    init(_ text: String) throws {
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts.first ?? "")
        guard parts.count == 2, let digits = parts.last else {
            key = nil
            return
        }
        guard let key = PeerKey(text: digits) else {
            throw ValidationError("'#\(digits)' in --index is no key: 64 hex digits, as the server shows at its start.")
        }
        self.key = key
    }
}
