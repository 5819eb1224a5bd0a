// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Reactor

/// The one thread that owns the terminal: ncurses is not thread-safe.
///
/// Run `executor` on the main thread, or `start()` it; until then nothing isolated to this actor makes progress.
@globalActor public actor ScreenActor {
    public static let shared = ScreenActor()

    /// The loop that sleeps on the terminal.
    public static let executor: PollExecutor = {
        do {
            return try PollExecutor(name: "screen")
        } catch {
            let sentence = "\(error)\n"
            _ = sentence.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            exit(EXIT_FAILURE)
        }
    }()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { Self.executor.asUnownedSerialExecutor() }

    /// Runs `body` where the executor calls back outside a job, as for a watched descriptor; traps on any other thread.
    public static func assumeIsolated<Result: Sendable>(_ body: @ScreenActor () -> Result) -> Result {
        shared.preconditionIsolated()
        // Isolation is not part of a closure's representation; the line above is the proof that dropping it is sound.
        return withoutActuallyEscaping(body) { unsafeBitCast($0, to: (() -> Result).self)() }
    }
}
