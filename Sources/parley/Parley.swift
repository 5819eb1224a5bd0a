// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import CursesScreen
import Glibc
import Model
import Network
import Reactor
import Wire

/// The command line of `parley`.
struct Parley: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parley",
        abstract: "Chat from terminal to terminal, by key instead of by address.",
        discussion: """
            EXAMPLES
              parley                                   the chat, as yourself
              parley --home a --name alice             the chat, as someone else
              parley id                                your ID and invite, to give away
              parley send 4f2a… "on my way"            one message, then exit
              parley pipe                              JSON lines, for scripts

            Exit status: 0 ok, 1 failure, 2 wrong usage or no terminal, 3 no such peer, 4 index unreachable, 5 not \
            delivered in time, 6 refused, 7 unusable identity, 128 and a signal's number when one ended it.
            """,
        version: parleyVersion,
        subcommands: [
            Send.self, Pipe.self, ID.self, Log.self, Export.self, Import.self, SetPassphrase.self, Doctor.self,
        ])

    @OptionGroup var options: Options

    func run() throws {
        if options.plain { try runOnNetwork { loop in try PlainProgram(self.options, loop: loop) } }
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw ProgramFailure(
                .usage,
                "The chat needs a terminal on standard input and output. Without one, use 'parley pipe' or 'parley send'."
            )
        }
        let loop = try makeLoop("network")
        let host = try PeerHost(options, purpose: "chat", loop: loop)
        loop.start()
        let options = options
        runUntilDone(ScreenActor.executor, signals: nil) { () async throws(ProgramFailure) -> Int32 in
            try await ChatProgram(options, host: host).run()
        }
    }

    struct Send: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send one message, then exit.")
        @OptionGroup var options: Options
        @Argument(help: "A contact's name, a UUID, or how either begins (4 characters or more).") var peer: String
        @Argument(help: "The message; '-' reads it from standard input.") var text: [String]
        @Option(
            help: ArgumentHelp(
                "How long to wait until it is on the other side's disk, as 10s, 500ms or 2m.", valueName: "time"))
        var wait = "20s"
        @Flag(help: "Print what became of it as JSON.") var json = false

        func run() throws {
            guard let wait = Duration(argument: wait) else {
                throw ValidationError("'\(wait)' is no duration for --wait, as 10s, 500ms or 2m.")
            }
            var message = text.joined(separator: " ")
            if text == ["-"] { message = try readStandardInput() }
            try runOnNetwork { loop in
                SendProgram(
                    options: options, home: try options.homePath, peer: peer, text: message, wait: wait, json: json,
                    loop: loop, link: ControlLink(loop: loop))
            }
        }
    }

    struct Pipe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The whole client without a screen: JSON lines in and out.")
        @OptionGroup var options: Options

        func run() throws {
            try runOnNetwork { loop in try PipeProgram(options, loop: loop) }
        }
    }

    struct ID: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "id", abstract: "Show your own ID, key, digits and invite.")
        @OptionGroup var options: Options
        @Flag(help: "As JSON: {uuid,invite,key,digits}.") var json = false

        func run() throws {
            try runOnNetwork { loop in IDProgram(options: options, json: json, link: ControlLink(loop: loop)) }
        }
    }

    struct Log: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what was said, oldest first.")
        @OptionGroup var options: Options
        @Argument(
            help: "A contact's name, a UUID, or how either begins (4 characters or more). Default: everyone.")
        var peer: String?
        @Flag(help: "As JSON lines.") var json = false

        func run() throws {
            try LogProgram(home: try options.homePath, peer: peer, json: json).run()
        }
    }

    struct Doctor: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how people will reach you, and what would help. Changes nothing.",
            discussion: "Exit status 0 when nothing is broken, else 1.")
        @OptionGroup var options: Options
        @Flag(help: "As JSON: {ok,nat,summary,advice,checks:[{topic,mark,text,help}]}.") var json = false

        func run() throws {
            try runOnNetwork { loop in
                DoctorProgram(options: options, home: try options.homePath, json: json, loop: loop)
            }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write identity, contacts and history into one encrypted file.")
        @OptionGroup var options: Options
        @Argument(help: "The file to write; it must not exist.") var file: String
        @OptionGroup var backup: BackupOptions

        func run() throws {
            try ExportProgram(options: options, file: file, backupPassphrase: backup.passphrase).run()
        }
    }

    struct BackupOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Where the backup's passphrase comes from; default: the terminal.", valueName: "n"))
        var backupPassphraseFd: Int32?

        var passphrase: Passphrase { Passphrase(descriptor: backupPassphraseFd) }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over what 'parley export' wrote: into an empty home, or the same identity's.")
        @OptionGroup var options: Options
        @Argument(help: "The file to read.") var file: String
        @OptionGroup var backup: BackupOptions

        func run() throws {
            try ImportProgram(options: options, file: file, backupPassphrase: backup.passphrase).run()
        }
    }

    struct SetPassphrase: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "passphrase", abstract: "Protect the identity by a passphrase, change it, or take it away.",
            discussion:
                "With --passphrase-fd, the present passphrase, if there is one, and the new one are a line each.")
        @OptionGroup var options: Options
        @Flag(help: "Take the passphrase away.") var remove = false

        func run() throws {
            try PassphraseProgram.run(home: try options.homePath, passphrase: options.passphrase, remove: remove)
        }
    }
}

/// What runs on the network's loop until it is done.
protocol NetworkProgram: Sendable {
    /// - Returns: how it went.
    func run() async throws(ProgramFailure) -> Status
}

/// Runs a program on a loop of its own and exits with its status. Signals are caught before it is made.
private func runOnNetwork<Program: NetworkProgram>(_ make: (PollExecutor) throws -> Program) throws -> Never {
    let signals = SignalWatch()
    let loop = try makeLoop("network")
    let program = try make(loop)
    runUntilDone(loop, signals: signals) { () async throws(ProgramFailure) in try await program.run().rawValue }
}

private func readStandardInput() throws(ProgramFailure) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while bytes.count <= WireLimits.pipeLine {
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        guard count > 0 else { break }
        bytes += buffer[..<count]
    }
    while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw ProgramFailure(.usage, "What came on standard input is no UTF-8 text.")
    }
    return text
}
