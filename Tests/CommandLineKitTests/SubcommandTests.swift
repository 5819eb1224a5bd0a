// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import Testing

@testable import CommandLineKit

@Suite struct SubcommandTests {
    private struct Root: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "root", subcommands: [Doctor.self, Send.self, Hidden.self])
    }
    private struct Doctor: ParsableCommand {}
    private struct Send: ParsableCommand {}
    private struct Hidden: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "bench-echo", shouldDisplay: false)
    }

    private static let valued: Set<String> = ["--home"]

    @Test(arguments: [
        ("dcotor", "doctor"), ("--home x docter --json", "doctor"), ("sned bob hi", "send"), ("doctor", nil),
        ("bench-ech", nil), ("hello", nil), ("--home dcotor", nil), ("-- dcotor", nil), ("", nil),
    ])
    func `a mistyped subcommand has a suggestion`(line: String, meant: String?) {
        let arguments = line.split(separator: " ").map(String.init)
        #expect(meantSubcommand(arguments, of: Root.self, valued: Self.valued) == meant)
    }

    @Test(arguments: [
        ("--home x send bob", "send --home x bob"), ("send bob", "send bob"), ("bob send", "bob send"),
        ("-- send", "-- send"), ("--home send", "--home send"), ("", ""),
    ])
    func `options may stand before the subcommand`(line: String, hoisted: String) {
        let arguments = line.split(separator: " ").map(String.init)
        #expect(hoistSubcommand(arguments, of: Root.self, valued: Self.valued).joined(separator: " ") == hoisted)
    }
}
