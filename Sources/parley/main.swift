// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import Glibc
import Queues

signal(SIGPIPE, SIG_IGN)

do {
    var command = try Parley.parseAsRoot(hoistSubcommand(Array(CommandLine.arguments.dropFirst()), of: Parley.self))
    try command.run()
} catch let failure as ProgramFailure {
    exit(report(failure))
} catch {
    let isHelp = Parley.exitCode(for: error) == .success
    writeAll(Array((Parley.fullMessage(for: error) + "\n").utf8), to: isHelp ? STDOUT_FILENO : STDERR_FILENO)
    exit(isHelp ? Status.ok.rawValue : Status.usage.rawValue)
}

/// Says why the program ends.
/// - Returns: the exit status.
func report(_ failure: ProgramFailure) -> Int32 {
    complain(failure.message)
    return failure.status.rawValue
}

/// An exit status that another thread sets.
final class Outcome: Sendable {
    private let value = Lock<Int32>(0)
    var code: Int32 { value.withLock { $0 } }
    func set(_ code: Int32) { value.withLock { $0 = code } }
}
