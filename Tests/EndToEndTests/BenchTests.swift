// SPDX-License-Identifier: GPL-3.0-or-later
import Support
import Testing

extension EndToEnd {
    /// The load generator: it must find right answers right, and wrong ones wrong.
    @Suite(.timeLimit(.minutes(1))) struct BenchTests {
        private func bench(_ options: String...) throws -> (status: Termination?, report: JSON, told: String) {
            let result = try ChildProcess.run(
                [try Executables.parleyIndex(), "bench", "--rounds", "1", "--seconds", "1", "--json"] + options)
            return (result.status, try JSON(result.out), result.err)
        }

        private func number(_ report: JSON, _ server: String, _ member: String) -> Double? {
            report["loads"]?.array?.first?[server]?[member]?.number
        }

        @Test(arguments: ["--queries", "--registrations", "--signed", "--mixed"])
        func `a round beside the echo answers rightly and loses nothing`(load: String) throws {
            let (status, report, told) = try bench(load, "--outstanding", "16", "--against", "echo")
            #expect(status == .exited(0))
            #expect(told.contains("Measuring 1 load on parley-index, echo, 1 round of 1 s each: about"))
            for server in ["index", "echo"] {
                #expect(try #require(number(report, server, "answers_per_second")) > 0)
                #expect(number(report, server, "wrong") == 0)
                #expect(number(report, server, "lost") == 0)
            }
            #expect(try #require(number(report, "index", "cpu_microseconds_per_answer")) > 0)
        }

        @Test func `wrong answers fail it`() throws {
            let echo = try ChildProcess([try Executables.parleyIndex(), "bench-echo"])
            let address = try echo.nextLine().text.split(separator: " ").last.map(String.init)
            let (status, report, _) = try bench("--registrations", "--server", try #require(address))
            #expect(status == .exited(1))
            #expect(try #require(number(report, "index", "wrong")) > 0)
            #expect(number(report, "index", "answers_per_second") == 0)
        }
    }
}
