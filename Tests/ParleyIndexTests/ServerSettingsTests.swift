// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model
import Network
import Testing

@testable import parley_index

@Suite struct ServerSettingsTests {
    private func resolve(
        flags: [String: String] = [:], environment: [String: String] = [:], file: String = "", directory: String? = "/d"
    ) -> ServerSettings.Resolution {
        let contents = SettingsFile(parsing: Array(file.utf8))
        return ServerSettings.resolve(
            SettingsLayers(
                flags: flags, environment: environment, files: [.init(path: "/f", contents: contents)],
                variables: "PARLEY_INDEX_"),
            directory: directory)
    }

    @Test func `nobody says anything`() {
        let result = resolve()
        #expect(result.faults == [] && result.warnings == [])
        #expect(result.settings.listen == ListenAddress(port: 50000))
        #expect(result.settings.store == .sqlite)
        #expect(result.settings.controlPath == "/d/control.sock")
        #expect(result.settings.metrics == nil && result.settings.origins.isEmpty)
    }

    @Test func `flag, environment, file`() {
        let result = resolve(
            flags: ["listen": "1"], environment: ["listen": "2", "loops": "2"],
            file: "listen = 3\nloops = 3\nstore = 'memory'")
        #expect(result.settings.listen.port == 1)
        #expect(result.settings.loops == 2)
        #expect(result.settings.store == .memory)
        #expect(
            result.settings.origins == [
                "listen": .flag("--listen"), "loops": .environment("PARLEY_INDEX_LOOPS"),
                "store": .file(path: "/f", line: 3),
            ])
    }

    @Test func `every key is read from a file, and shown as it was written`() {
        let lines = [
            ("listen", #""127.0.0.1:5""#), ("data_dir", #""/x""#), ("store", #""memory""#), ("control", #""/y""#),
            ("metrics", #""127.0.0.1:9100""#), ("headless", "true"), ("log_format", #""json""#),
            ("log_level", #""debug""#), ("loops", "3"), ("keyed_capacity", "1_0"), ("seed_capacity", "20"),
            ("limit_requests_per_s", "30"), ("limit_burst", "40"), ("limit_registrations_per_s", "50"),
            ("limit_registrations_burst", "60"), ("limit_loopback", "true"), ("relay", "true"),
            ("relay_rate_bits_per_s", "128_000"), ("relay_burst_bytes", "70000"), ("relay_total_bits_per_s", "90000"),
            ("relay_channels", "80"), ("second_port", "50001"),
        ]
        #expect(lines.map(\.0) == Setting.keys)
        let result = resolve(file: lines.map { "\($0) = \($1)" }.joined(separator: "\n"))
        #expect(result.faults == [] && result.warnings == [])
        for (index, setting) in Setting.all.enumerated() {
            let written = lines[index].1.filter { $0 != "\"" && $0 != "_" }
            #expect(setting.show(result.settings) == written)
            #expect(setting.show(ServerSettings()) != written, "\(setting.key) is its default")
            #expect(result.settings.origin(of: setting.key) == .file(path: "/f", line: index + 1))
        }
        // The table is a file again.
        var again = resolve(file: result.settings.table).settings
        again.origins = result.settings.origins
        #expect(again == result.settings)
    }

    @Test(
        arguments: [
            ("listen = true", "listen must be PORT, ADDR:PORT or [V6]:PORT, not 'true'"),
            ("listen = 65536", "listen must be PORT, ADDR:PORT or [V6]:PORT, not '65536'"),
            ("store = 'redis'", "store must be sqlite or memory, not 'redis'"),
            ("data_dir = ''", "data_dir must be a path, not ''"),
            (#"control = "a\u0000b""#, "control must be a path, not 'a\u{0}b'"),
            ("control = 5", "control must be a path, not '5'"),
            ("loops = -1", "loops must be a whole number from 0 to 64, not '-1'"),
            ("loops = true", "loops must be a whole number from 0 to 64, not 'true'"),
            ("keyed_capacity = 0", "keyed_capacity must be a whole number from 1 to 100000000, not '0'"),
            (
                "limit_burst = 9223372036854775807",
                "limit_burst must be a whole number from 1 to 1000000, not '9223372036854775807'"
            ),
            ("headless = 2", "headless must be true or false, not '2'"),
            ("log_level = 'loud'", "log_level must be error, warn, info or debug, not 'loud'"),
            ("metrics = 0", "metrics must be ADDR:PORT, a PORT of this machine alone, or none, not '0'"),
        ])
    func `a value that can't be is a fault with its place, and changes nothing`(file: String, fault: String) {
        let result = resolve(file: file)
        #expect(result.faults == ["/f:1: \(fault)."])
        #expect(result.settings == resolve().settings)
    }

    @Test func `an unknown key is a warning`() {
        let result = resolve(file: "# x\nlissten = 5")
        #expect(result.faults == [])
        #expect(result.warnings == ["/f:2: unknown key 'lissten'; did you mean 'listen'?"])
    }

    @Test(arguments: [
        ("9100", "127.0.0.1:9100"), ("[::]:9100", "[::]:9100"), ("0.0.0.0:9100", "0.0.0.0:9100"),
        ("[::1]:9100", "[::1]:9100"),
    ])
    func `metrics are for this machine alone unless an address is named`(text: String, endpoint: String) {
        #expect(resolve(environment: ["metrics": text]).settings.metrics?.description == endpoint)
        #expect(resolve(flags: ["metrics": "none"], environment: ["metrics": text]).settings.metrics == nil)
    }

    @Test func `somebody must say where the files lie`() {
        #expect(resolve(directory: nil).faults.count == 1)
        #expect(resolve(file: "data_dir = '/x'", directory: nil).faults == [])
    }

    @Test(
        arguments: [
            ("listen", false), ("data_dir", false), ("store", false), ("control", false), ("metrics", false),
            ("headless", false), ("log_format", true), ("log_level", true), ("loops", false), ("keyed_capacity", false),
            ("seed_capacity", false), ("limit_requests_per_s", true), ("limit_burst", true),
            ("limit_registrations_per_s", true), ("limit_registrations_burst", true), ("limit_loopback", true),
        ])
    func `a reload applies what a running server can take`(key: String, applies: Bool) throws {
        let new = [
            "store": "memory", "headless": "true", "log_format": "json", "log_level": "debug", "limit_loopback": "true",
            "keyed_capacity": "2000000", "seed_capacity": "2000000", "metrics": "9100", "data_dir": "/e",
            "control": "/c",
        ]
        let (old, wanted) = (resolve().settings, resolve(environment: [key: new[key] ?? "7"]).settings)
        let changes = old.changes(to: wanted)
        #expect(changes.applied.map(\.key) == (applies ? [key] : []))
        let place = key == "data_dir" ? ["data_dir", "control"] : [key]
        #expect(changes.needsRestart.map(\.key) == (applies ? [] : place))
        #expect(changes.settings == (applies ? wanted : old))
        #expect(wanted.changes(to: wanted) == SettingChanges(settings: wanted))
    }
}
