// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CPosix
import CommandLineKit
import Glibc
import Model
import Reactor

extension ParleyIndex {
    struct Bench: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Load a server, check every answer, and compare it with others by turns.",
            discussion: """
                Without --server it starts servers of its own on loopback: this one with an empty store for each load, a \
                plain echo in C, which is what the machine can do, and those of redis-server, opentracker and nsd that are \
                installed. With --server each registration that it counts stays there until it expires.

                Without anything named it does queries, keepalives, registrations, durable, signed and \
                mixed ones, and relayed datagrams. Exit status 1: \
                an answer was wrong.
                """)
        @OptionGroup var options: BenchOptions

        func run() throws {
            let signals = SignalWatch()
            let (main, load) = (try makeLoop("bench"), try makeLoop("load"))
            load.start()
            let options = options
            // It blocks the thread that it runs on, which nobody else needs.
            runUntilDone(main, signals: signals, executor: LoopTasks(load)) { () async throws(ProgramFailure) in
                try await BenchProgram(options: options).run().rawValue
            }
        }
    }

    /// What the machine can do: no work at all.
    struct BenchEcho: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "bench-echo", shouldDisplay: false)

        func run() throws {
            let descriptor = boundSocket(SOCK_DGRAM, port: 0)
            guard descriptor >= 0, let local = localEndpoint(descriptor) else {
                throw ProgramFailure(.failure, "The echo got no port.")
            }
            widenBuffer(descriptor)
            writeAll(Array("listening on \(local)\n".utf8), to: STDOUT_FILENO)
            cp_load_echo(descriptor)
        }
    }
}

extension ParleyIndex {
    /// The flood of `bench --flood`, as a process of its own. Says how many datagrams it sent a second.
    struct BenchFlood: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "bench-flood", shouldDisplay: false)
        @Argument var server: String
        @Argument var rate: Int
        @Argument var seconds: Int

        func run() throws {
            var generator = SystemRandomNumberGenerator()
            guard let endpoint = Endpoint(server), rate > 0, (1...3600).contains(seconds),
                let flooder = Flooder(endpoint, using: &generator)
            else { throw ProgramFailure(.failure, "No flood to \(server).") }
            // Where there is a second CPU: that of the servers is not the flood's to take.
            cp_pin_thread(1)
            writeAll(Array("listening on \(endpoint)\n".utf8), to: STDOUT_FILENO)
            writeAll(Array("\(flooder.run(rate: rate, seconds: seconds))\n".utf8), to: STDOUT_FILENO)
        }
    }
}
