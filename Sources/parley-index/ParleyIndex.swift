// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit
import CursesScreen
import Glibc
import IndexServer
import Network
import Queues
import Reactor

/// The command line of `parley-index`.
struct ParleyIndex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parley-index",
        abstract: "Tells peers where peers are.",
        discussion: """
            EXAMPLES
              parley-index                             the server and its dashboard
              parley-index --headless                  the server alone, with a log
              parley-index top                         the dashboard of a running server
              parley-index top --once --json           its figures, for scripts
              parley-index check --show                could it start, by which settings?

            Each option that is a setting may stand in the settings' file, as 'data_dir = "DIR"', and in the environment, \
            as PARLEY_INDEX_DATA_DIR; an option outranks a variable, and a variable the file.

            Exit status: 0 ok, 1 failure, 2 wrong usage or settings, or no terminal, 4 no server answers, 128 and a \
            signal's number when one ended it.
            """,
        version: parleyVersion,
        subcommands: [Serve.self, Top.self, Check.self, Bench.self, BenchEcho.self, BenchFlood.self],
        defaultSubcommand: Serve.self)

    struct Serve: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run the server: with a dashboard on a terminal, else with a log.")
        @OptionGroup var options: ServeOptions

        func run() throws {
            let hasTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
            let settings = try options.settings()
            if settings.isHeadless || !hasTerminal { try runHeadless(settings) } else { try runDashboard(settings) }
        }

        private func runHeadless(_ settings: ServerSettings) throws {
            let signals = SignalWatch()
            let (main, log) = (try makeLoop("main"), try makeLoop("log"))
            let (setting, isQuiet) = (options.setting, options.quiet)
            let running = Lock<HeadlessProgram?>(nil)
            log.start()
            runUntilDone(
                main, signals: signals, executor: LoopTasks(main), onHangup: { running.withLock { $0 }?.reload() }
            ) { () async throws(ProgramFailure) in
                // In here, since it waits for the disk, and signals must not wait for that.
                let program = try HeadlessProgram(
                    settings, read: { try setting.resolve() }, isQuiet: isQuiet, log: log)
                running.withLock { $0 = program }
                return try await program.run().rawValue
            }
        }

        private func runDashboard(_ settings: ServerSettings) throws {
            let server = try openServer(settings)
            let (screen, directory) = (options.screen, settings.dataDirectory)
            runUntilDone(ScreenActor.executor, signals: nil) { () async throws(ProgramFailure) -> Int32 in
                try await server.startOrExplain()
                let outcome: Result<Int32, ProgramFailure>
                do throws(ProgramFailure) {
                    let program = try await DashboardProgram(screen, .server(server), saves: directory)
                    outcome = .success(await program.run())
                } catch {
                    outcome = .failure(ProgramFailure(error.status, error.message + " Without one, use --headless."))
                }
                await server.stop()
                return try outcome.get()
            }
        }
    }

    struct Top: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the dashboard of a running server; closing it does not stop the server.")
        @OptionGroup var place: PlaceOptions
        @OptionGroup var screen: ScreenArguments
        @Flag(help: "Print the figures once, then exit; needs no terminal.") var once = false
        @Flag(help: "With --once: as one JSON object.") var json = false
        @Option(help: ArgumentHelp("How often to ask, as 500ms or 2s. Default: 1s.", valueName: "time"))
        var interval: String?

        func validate() throws {
            if json, !once { throw ValidationError("--json goes with --once.") }
            if let interval, Duration(argument: interval).map({ $0 < .milliseconds(100) }) ?? true {
                throw ValidationError("'\(interval)' is no duration for --interval from 100ms up, as 500ms or 2s.")
            }
        }

        func run() throws {
            let settings = try place.place()
            let (control, directory) = (settings.controlPath, settings.dataDirectory)
            if access(control, W_OK) != 0, errno == EACCES {
                throw ProgramFailure(
                    .failure, "\(control) is another user's: run top as the server's user, or by sudo.")
            }
            if once { try runOnce(control) }
            guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
                throw ProgramFailure(
                    .usage, "The dashboard needs a terminal on standard input and output; 'top --once' does not.")
            }
            let screen = screen
            let interval = interval.flatMap { Duration(argument: $0) }
            runUntilDone(ScreenActor.executor, signals: nil) { () async throws(ProgramFailure) -> Int32 in
                let visitor = ControlClient(path: control, loop: ScreenActor.executor)
                return try await DashboardProgram(screen, .visitor(visitor), interval: interval, saves: directory).run()
            }
        }

        private func runOnce(_ control: String) throws -> Never {
            let signals = SignalWatch()
            let loop = try makeLoop("control")
            let json = json
            runUntilDone(loop, signals: signals) { () async throws(ProgramFailure) -> Int32 in
                let client = ControlClient(path: control, loop: loop)
                return try await printOnce(client, control: control, json: json).rawValue
            }
        }
    }
}
