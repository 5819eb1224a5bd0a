// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import Foundation
import Model
import Testing
import Wire

@testable import parley_index

/// What is written for operators says what the programs do.
@Suite struct ManualTests {
    private static func text(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Long options that a text names.
    private func options(_ text: String) -> Set<String> {
        Set(text.matches(of: /--([a-z][a-z-]+)/).map { String($0.1) })
    }

    @Test func `parley-index(8) has the options of --help and no others`() throws {
        let page = try Self.text("assets/man/parley-index.8")
        let documented = Set(page.matches(of: /\n\.It Fl (?:h , )?-([a-z-]+)/).map { String($0.1) })
        let usage = [ParleyIndex.Serve.self, ParleyIndex.Top.self, Check.self].map {
            (command: any ParsableCommand.Type) in
            // The lines of options, not the prose about them.
            ParleyIndex.helpMessage(for: command).split(separator: "\n").filter { $0.hasPrefix("  -") }
                .joined(separator: "\n")
        }
        #expect(documented == options(usage.joined(separator: "\n")))
    }

    @Test func `each example of --help is one line of a terminal of 80 columns`() {
        let help = ParleyIndex.helpMessage(columns: 80)
        let examples = help.split(separator: "EXAMPLES\n")[1].split(separator: "\n\n")[0]
        #expect(examples.split(separator: "\n").allSatisfy { $0.hasPrefix("  parley-index") }, "\(examples)")
    }

    @Test func `parley-index.toml(5) has the settings in their order, and says which a reload takes over`() throws {
        let page = try Self.text("assets/man/parley-index.toml.5")
        let settings = try #require(page.split(separator: ".Sh SETTINGS").last)
        let rows = settings.matches(of: /\n\.It Cm ([a-z_]+)( No \*)?/).map { (String($0.1), $0.2 != nil) }
        #expect(rows.map(\.0) == Setting.keys.sorted(by: order(of: rows.map(\.0))))
        for (key, isReloadable) in rows {
            #expect(Setting.all.first { $0.key == key }?.isReloadable == isReloadable, "\(key)")
        }
    }

    /// The page may have an order of its own, not a set of its own.
    private func order(of keys: [String]) -> (String, String) -> Bool {
        { (keys.firstIndex(of: $0) ?? .max) < (keys.firstIndex(of: $1) ?? .max) }
    }

    @Test func `the sample file, its comments taken away, is the defaults`() throws {
        let sample = try Self.text("assets/systemd/parley-index.toml").replacing(/\n#([a-z_]+ = )/) { "\n\($0.1)" }
        let layers = SettingsLayers(
            files: [.init(path: "/f", contents: SettingsFile(parsing: Array(sample.utf8)))], variables: "P_")
        let result = ServerSettings.resolve(layers, directory: nil)
        #expect(result.faults == [] && result.warnings == [])
        #expect(Set(result.settings.origins.keys) == Set(Setting.keys))
        var expected = ServerSettings()
        expected.dataDirectory = "/var/lib/parley-index"
        // Who installs it as a service relays.
        expected.relays = true
        expected.control = "/var/lib/parley-index/control.sock"
        expected.origins = result.settings.origins
        #expect(result.settings == expected)
    }

    @Test func `the sample file marks what a reload takes over`() throws {
        var marked: [String] = []
        var isMarked = false
        for line in try Self.text("assets/systemd/parley-index.toml").split(separator: "\n") {
            if let row = line.firstMatch(of: #/^\#?([a-z_]+) = /#) {
                if isMarked { marked.append(String(row.1)) }
            } else if line.hasPrefix("# ") {
                isMarked = line.hasPrefix("# * ")
            }
        }
        #expect(marked == Setting.all.filter(\.isReloadable).map(\.key))
    }

    @Test func `OPERATIONS.md has a row for each setting, with its default, and says which a reload takes over`() throws
    {
        let page = try Self.text("docs/OPERATIONS.md")
        let rows = page.matches(of: /\n\| `([a-z_]+)`( \*)? \| `([^`]+)` \|/)
            .map { (String($0.1), $0.2 != nil, String($0.3)) }
        #expect(rows.map(\.0) == Setting.keys)
        for (key, isReloadable, shown) in rows {
            let setting = try #require(Setting.all.first { $0.key == key })
            #expect(setting.isReloadable == isReloadable, "\(key)")
            guard !["data_dir", "control"].contains(key) else { continue }
            #expect(
                shown.replacing(/[_"]/, with: "") == setting.show(ServerSettings()).replacing(/[_"]/, with: ""),
                "\(key)")
        }
    }

    @Test func `the sizes that OPERATIONS.md reckons with are the encoder's`() throws {
        let page = try Self.text("docs/OPERATIONS.md")
        let peer = try #require(PeerID("f47ac10b-58cc-8372-a567-0e02b2c3d479"))
        // A token has 16 octets, a nonce 8 before base64url.
        let nonce = String(repeating: "n", count: 11)
        let request = IndexRequest.keepalive(
            IndexRequest.Keepalive(peer: peer, token: Array(repeating: 7, count: 16), nonce: nonce))
        let reply = IndexReply.alive(boot: "0123abcd", leaseSeconds: 7200)
        #expect(
            page.contains(
                "A keepalive has \(request.encoded().count) bytes, its answer \(reply.encoded(nonce: nonce).count);"))
    }
}
