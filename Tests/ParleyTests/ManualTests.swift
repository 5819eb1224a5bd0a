// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import Foundation
import Scripting
import Testing

@testable import parley

/// parley(1) says what the program does.
@Suite struct ManualTests {
    private static func page() throws -> String {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("assets/man/parley.1"), encoding: .utf8)
    }

    /// The items of a list that follows a heading.
    private static func items(under heading: String) throws -> [String] {
        let section = try #require(try page().split(separator: "\n.Sh ").first { $0.hasPrefix(heading) })
        return section.matches(of: /\n\.It Cm (.+)/).flatMap { $0.1.split(separator: " , ").map { String($0) } }
    }

    @Test func `parley(1) has the options of --help and no others`() throws {
        let documented = Set(try Self.page().matches(of: /\n\.It Fl (?:h , )?-([a-z-]+)/).map { String($0.1) })
        let commands: [any ParsableCommand.Type] = [Parley.self] + Parley.configuration.subcommands
        // The lines of options, not the prose about them.
        let usage = commands.map { Parley.helpMessage(for: $0) }.joined(separator: "\n").split(separator: "\n")
            .filter { $0.hasPrefix("  -") }
        #expect(documented == Set(usage.flatMap { $0.matches(of: /--([a-z][a-z-]+)/).map { String($0.1) } }))
    }

    @Test func `parley(1) has the commands of --help in their order`() throws {
        let commands = Parley.configuration.subcommands.map { $0._commandName }
        #expect(try Self.items(under: "DESCRIPTION") == commands)
    }

    @Test func `each example of --help is one line of a terminal of 80 columns`() {
        let examples = Parley.helpMessage(columns: 80).split(separator: "EXAMPLES\n")[1].split(separator: "\n\n")[0]
        #expect(examples.split(separator: "\n").allSatisfy { $0.hasPrefix("  parley") }, "\(examples)")
    }

    @Test func `parley(1) names no command of a pipe that there is not`() throws {
        let commands = try Self.items(under: "JSON LINES")
        #expect(commands.count > 10)
        for command in commands {
            do throws(PipeError) { _ = try PipeCommand(parsing: Array(#"{"command":"\#(command)"}"#.utf8)) } catch {
                #expect(!error.message.contains("There is no command"), "\(command)")
            }
        }
    }
}
