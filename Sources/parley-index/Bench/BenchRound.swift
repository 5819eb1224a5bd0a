// SPDX-License-Identifier: GPL-3.0-or-later

/// What one round of a load brought.
struct BenchRound: Sendable {
    var seconds = 0.0
    var answers = 0
    /// Requests without an answer within a second.
    var lost = 0
    var wrong = 0
    /// Round trips in microseconds.
    var latencies: [UInt32] = []
    /// CPU time of the server in nanoseconds; `nil` when it is not this program's child.
    var cpu: UInt64?
    /// CPU time of the load generator in nanoseconds.
    var ownCPU: UInt64 = 0

    var answersPerSecond: Double { seconds > 0 ? Double(answers) / seconds : 0 }

    /// Microseconds of the server's CPU time an answer.
    var cpuPerAnswer: Double? { cpu.map { Double($0) / 1000 / Double(max(1, answers)) } }

    /// How much of the generator's one CPU it used, 0 to 1: near 1 it measures itself.
    var generatorLoad: Double { seconds > 0 ? Double(ownCPU) / 1e9 / seconds : 0 }
}
