// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc

/// The signals that came since the last look.
struct CaughtSignals {
    private let bits: UInt64

    /// Takes what waits.
    static func take() -> CaughtSignals { CaughtSignals(bits: cp_signals_take()) }

    func contains(_ number: Int32) -> Bool { bits & 1 << UInt64(number) != 0 }

    /// Those that ask the program to end.
    var endings: [Int32] { [SIGTERM, SIGHUP, SIGINT, SIGQUIT].filter(contains) }
}
