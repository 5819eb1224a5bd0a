// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit

/// Where a server's files lie: for the server itself and for those who visit it.
struct PlaceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The settings' file. Default: config.toml in ~/.config/parley-index, then /etc/parley-index.toml.",
            valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Where the server keeps its files.", valueName: "dir"))
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "The server's control socket. Default: control.sock in the data directory.", valueName: "path"))
    var control: String?

    var flags: [String: String] { ["data_dir": dataDir, "control": control].compactMapValues { $0 } }

    /// The settings by which a visitor finds the server; what else is wrong with them is the server's business.
    func place() throws(ProgramFailure) -> ServerSettings {
        let resolution = ServerSettings.resolve(try layers(flags, config: config), directory: defaultDirectory())
        guard !resolution.settings.dataDirectory.isEmpty else {
            throw ProgramFailure(.failure, resolution.faults.last ?? "")
        }
        return resolution.settings
    }
}

/// The options that are settings, too.
struct SettingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where to listen: PORT, ADDR:PORT or [V6]:PORT. Default: [::]:50000, IPv4 included.", valueName: "where"))
    var listen: String?

    @OptionGroup var place: PlaceOptions

    @Option(help: ArgumentHelp("Where registrations are kept: sqlite (the default) or memory.", valueName: "kind"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "Where Prometheus may read: ADDR:PORT, or a PORT of this machine alone. Default: none.",
            valueName: "where"))
    var metrics: String?

    @Option(help: ArgumentHelp("Threads that answer. Default: 0, one a processor.", valueName: "n"))
    var loops: String?

    @Flag(help: "Log instead of showing the dashboard.")
    var headless = false

    @Flag(help: "Pass encrypted datagrams on between peers that can't reach each other.")
    var relay = false

    @Option(help: ArgumentHelp("How to log: text or json.", valueName: "format"))
    var logFormat: String?

    @Option(help: ArgumentHelp("What to log: error, warn, info or debug.", valueName: "level"))
    var logLevel: String?

    func validate() throws {
        for (key, value) in flags.sorted(by: { $0.key < $1.key }) {
            var unused = ServerSettings()
            guard let wanted = Setting.all.first(where: { $0.key == key })?.take(.string(value), &unused) else {
                continue
            }
            throw ValidationError("'\(value)' is not \(wanted), for --\(key.replacing("_", with: "-")).")
        }
    }

    private var flags: [String: String] {
        let own = [
            "listen": listen, "store": store, "metrics": metrics, "loops": loops, "log_format": logFormat,
            "log_level": logLevel, "headless": headless ? "true" : nil, "relay": relay ? "true" : nil,
        ]
        return place.flags.merging(own.compactMapValues { $0 }) { flag, _ in flag }
    }

    /// Reads everything that was said about the settings: at the start, and again at a reload.
    func resolve() throws(ProgramFailure) -> ServerSettings.Resolution {
        ServerSettings.resolve(try layers(flags, config: place.config), directory: defaultDirectory())
    }
}

/// Where the data lie when nobody says: the service manager's directory, else `parley-index` where the user's data are.
private func defaultDirectory() -> String? {
    // Several directories stand in it with colons between.
    if let state = environment("STATE_DIRECTORY"), state.hasPrefix("/") {
        return state.split(separator: ":").first.map(String.init)
    }
    return try? defaultDataDirectory("parley-index", option: "--data-dir")
}

/// Reads the environment and the files. A named file must be there, and is the only one.
private func layers(_ flags: [String: String], config: String?) throws(ProgramFailure) -> SettingsLayers {
    var layers = SettingsLayers(flags: flags, variables: "PARLEY_INDEX_")
    for key in Setting.keys { layers.environment[key] = environment(layers.variableName(key)) }
    if let named = config ?? environment(layers.variableName("config")) {
        guard let file = try SettingsLayers.File(readingAt: named) else {
            throw ProgramFailure(.failure, "There is no file \(named); see --config.")
        }
        layers.files = [file]
    } else {
        for path in settingsPaths("parley-index") {
            if let file = try SettingsLayers.File(readingAt: path) { layers.files.append(file) }
        }
    }
    return layers
}
