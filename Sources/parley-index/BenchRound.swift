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
}

/// Medians over the rounds of one load at one server.
struct BenchFigures: Sendable {
    let answersPerSecond: Double
    let p50: Double
    let p99: Double
    let cpuPerAnswer: Double?
    let lost: Int
    let wrong: Int

    init(_ rounds: [BenchRound]) {
        answersPerSecond = median(rounds.map { $0.seconds > 0 ? Double($0.answers) / $0.seconds : 0 })
        let sorted = rounds.map { $0.latencies.sorted() }
        p50 = median(sorted.map { quantile($0, 0.5) })
        p99 = median(sorted.map { quantile($0, 0.99) })
        let costs = rounds.compactMap { round in
            round.cpu.map { Double($0) / 1000 / Double(max(1, round.answers)) }
        }
        cpuPerAnswer = costs.isEmpty ? nil : median(costs)
        lost = rounds.reduce(0) { $0 + $1.lost }
        wrong = rounds.reduce(0) { $0 + $1.wrong }
    }
}

private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

private func quantile(_ sorted: [UInt32], _ part: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))])
}
