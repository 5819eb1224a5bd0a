// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import Glibc
import Model
import Network
import Reactor
import Wire

extension ParleyIndex {
    struct Bench: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load a server, check every answer, and compare it with a plain UDP echo.",
            discussion: """
                Without --server it starts a server and an echo of its own, and loads them by turns. With --server it \
                leaves some 1,500 registrations there, which expire.

                Without --queries, --registrations or --signed it does all three. Exit status 1: an answer was wrong.
                """)
        @OptionGroup var options: BenchOptions

        func run() throws {
            let signals = SignalWatch()
            let loop = try makeLoop("bench")
            let options = options
            runUntilDone(loop, signals: signals) { () async throws(ProgramFailure) in
                try await BenchProgram(options: options, loop: loop).run().rawValue
            }
        }
    }

    /// What the index server is measured against: the same socket code, and no work at all.
    struct BenchEcho: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "bench-echo", shouldDisplay: false)

        func run() throws {
            let loop = try makeLoop("echo")
            let port: DatagramPort
            do {
                port = try DatagramPort(
                    ListenAddress(address: .v4(0x7F00_0001), port: 0), reportsUnreachable: false)
            } catch {
                throw ProgramFailure(.failure, "\(error)")
            }
            port.serve(on: loop) { batch in
                for index in 0..<batch.count {
                    batch.withBytes(of: index) { batch.answer(index, with: $0) }
                }
            }
            writeAll(Array("listening on \(port.local)\n".utf8), to: STDOUT_FILENO)
            withExtendedLifetime(port) { loop.run() }
        }
    }
}

/// The options of `bench`.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A running server to load instead of one of its own.", valueName: "host:port"))
    var server: String?
    @Flag(help: "Look up registered peers.") var queries = false
    @Flag(help: "Register peers as the original programs do.") var registrations = false
    @Flag(help: "Register peers by signed records and cookies.") var signed = false
    @Option(help: "Requests under way at any time.") var outstanding = 64
    @Option(help: "Sockets that they leave from.") var sockets = 16
    @Option(help: "Seconds of a round.") var seconds = 3
    @Option(help: "Rounds of each load; medians are shown.") var rounds = 3
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        for (name, value, range) in [
            ("outstanding", outstanding, 1...4096), ("sockets", sockets, 1...256), ("seconds", seconds, 1...600),
            ("rounds", rounds, 1...100),
        ] where !range.contains(value) {
            throw ValidationError("--\(name) takes \(range.lowerBound) to \(range.upperBound), not \(value).")
        }
        if outstanding < sockets { throw ValidationError("--outstanding can't be less than --sockets.") }
    }

    var loads: [BenchLoad] {
        let chosen = BenchLoad.allCases.filter {
            switch $0 {
            case .queries: queries
            case .registrations: registrations
            case .signed: signed
            }
        }
        return chosen.isEmpty ? BenchLoad.allCases : chosen
    }
}

/// What a server is asked to do.
enum BenchLoad: String, CaseIterable, Sendable { case queries, registrations, signed }
