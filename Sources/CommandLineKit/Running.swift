// SPDX-License-Identifier: GPL-3.0-or-later
public import ArgumentParser
internal import Glibc
internal import Queues
public import Reactor
internal import SafeText

/// The version of all programs.
public let parleyVersion = "0.1.0"

extension ParsableCommand {
    /// Runs the command line and exits.
    /// - Parameter valued: options of every subcommand that take a value, with their dashes.
    public static func runProgram(valued: Set<String>) -> Never {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try parseAsRoot(hoistSubcommand(arguments, of: self, valued: valued))
            try command.run()
        } catch let failure as ProgramFailure {
            Glibc.exit(report(failure))
        } catch {
            let isHelp = exitCode(for: error) == .success
            var message = fullMessage(for: error)
            if !isHelp, let meant = meantSubcommand(arguments, of: self, valued: valued) {
                message = "Did you mean '\(meant)'?\n" + message
            }
            // It repeats arguments, which may have been pasted.
            let lines = message.split(separator: "\n", omittingEmptySubsequences: false).map { DisplayText($0).string }
            writeAll(Array((lines.joined(separator: "\n") + "\n").utf8), to: isHelp ? STDOUT_FILENO : STDERR_FILENO)
            Glibc.exit(isHelp ? Status.ok.rawValue : Status.usage.rawValue)
        }
        Glibc.exit(Status.ok.rawValue)
    }
}

/// A loop, or the sentence why there is none.
public func makeLoop(_ name: String) throws(ProgramFailure) -> PollExecutor {
    do { return try PollExecutor(name: name) } catch { throw ProgramFailure(.failure, "\(error)") }
}

/// Runs a loop on the main thread until the work is done, then exits with its status.
///
/// - Parameters:
///   - signals: what ends the work early, by cancelling it, or two seconds later whatever it does: the status is then
///     128 and the signal's number. `nil` where a screen deals with signals itself.
///   - onHangup: what SIGHUP does instead of ending the work, on the watch's thread.
///   - executor: where the work runs that belongs to no actor; `nil` for the pool.
public func runUntilDone(
    _ loop: PollExecutor, signals: SignalWatch?, executor: (any TaskExecutor)? = nil,
    onHangup: (@Sendable () -> Void)? = nil,
    _ work: @escaping @Sendable () async throws(ProgramFailure) -> Int32
) -> Never {
    let outcome = Outcome()
    let task = Task(executorPreference: executor) {
        do throws(ProgramFailure) { outcome.end(try await work()) } catch { outcome.fail(error) }
        loop.stop()
    }
    signals?.start(onHangup: onHangup) { number in
        outcome.end(128 + number)
        task.cancel()
    }
    loop.run()
    exit(outcome.code)
}

/// Says why the program ends.
/// - Returns: the exit status.
private func report(_ failure: ProgramFailure) -> Int32 {
    complain(failure.message)
    return failure.status.rawValue
}

/// An exit status that other threads set; the first one holds.
private final class Outcome: Sendable {
    private let value = Lock<Int32?>(nil)

    var code: Int32 { value.withLock { $0 } ?? Status.ok.rawValue }

    func end(_ code: Int32) { value.withLock { $0 = $0 ?? code } }

    /// What fails because a signal cancelled it is no news.
    func fail(_ failure: ProgramFailure) {
        let isFirst = value.withLock { $0 == nil }
        if isFirst { end(report(failure)) }
    }
}
