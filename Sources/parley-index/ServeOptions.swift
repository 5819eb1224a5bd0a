// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import Network
import Wire

/// Where a server's files lie: for the server itself and for those who visit it.
struct PlaceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where the server keeps its files.", valueName: "dir"))
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "The server's control socket. Default: control.sock in the data directory.", valueName: "path"))
    var control: String?

    /// The data directory: `--data-dir`, else `parley-index` where the user's data are.
    var directory: String {
        get throws(ProgramFailure) {
            if let dataDir { return dataDir }
            return try defaultDataDirectory("parley-index", option: "--data-dir")
        }
    }

    var controlPath: String {
        get throws(ProgramFailure) {
            if let control { return control }
            return try directory + "/control.sock"
        }
    }
}

/// The options of `serve`.
struct ServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to listen: PORT, ADDR:PORT or [V6]:PORT. Default: [::]:\(WireLimits.indexPort), IPv4 included.",
            valueName: "where"))
    var listen: String?

    @OptionGroup var place: PlaceOptions

    @Option(help: ArgumentHelp("Where registrations are kept: memory.", valueName: "kind"))
    var store = "memory"

    @Flag(help: "Log instead of showing the dashboard.")
    var headless = false

    @Flag(help: "Log nothing but where the server listens.")
    var quiet = false

    @Option(help: ArgumentHelp("How to log: text or json.", valueName: "format"))
    var logFormat = LogFormat.text

    @OptionGroup var screen: ScreenArguments

    @Flag(help: .hidden) var relay = false
    @Option(help: .hidden) var metrics: String?

    func validate() throws {
        if let listen, ListenAddress(listen) == nil {
            throw ValidationError("'\(listen)' is no PORT, ADDR:PORT or [V6]:PORT for --listen.")
        }
        switch store {
        case "memory": break
        case "sqlite":
            throw ValidationError("This version keeps registrations in memory; leave --store sqlite off.")
        default: throw ValidationError("'\(store)' is no store; this version knows --store memory.")
        }
        if relay { throw ValidationError("This version has no relay; leave --relay off.") }
        if metrics != nil {
            throw ValidationError(
                "This version serves no metrics; leave --metrics off and use 'parley-index top --once --json'.")
        }
    }

    var listenAddress: ListenAddress {
        listen.flatMap { ListenAddress($0) } ?? ListenAddress(port: WireLimits.indexPort)
    }
}

/// How a log line looks.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable { case text, json }
