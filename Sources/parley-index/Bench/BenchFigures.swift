// SPDX-License-Identifier: GPL-3.0-or-later

/// Medians over the rounds of one load at one server.
struct BenchFigures: Sendable {
    let server: String
    let answersPerSecond: Double
    let p50: Double
    let p99: Double
    let cpuPerAnswer: Double?
    let generatorLoad: Double
    let lost: Int
    let wrong: Int
    /// The index server's answers per second, and its CPU time per answer, by this server's; medians of the rounds,
    /// each with the one beside it.
    let ratio: Double?
    let cpuRatio: Double?

    /// - Parameter index: the index server's rounds, as many.
    init(_ server: String, _ rounds: [BenchRound], index: [BenchRound]) {
        self.server = server
        answersPerSecond = median(rounds.map(\.answersPerSecond)) ?? 0
        let sorted = rounds.map { $0.latencies.sorted() }
        p50 = median(sorted.map { quantile($0, 0.5) }) ?? 0
        p99 = median(sorted.map { quantile($0, 0.99) }) ?? 0
        cpuPerAnswer = median(rounds.compactMap(\.cpuPerAnswer))
        generatorLoad = median(rounds.map(\.generatorLoad)) ?? 0
        lost = rounds.reduce(0) { $0 + $1.lost }
        wrong = rounds.reduce(0) { $0 + $1.wrong }
        let pairs = zip(index, rounds)
        ratio = median(pairs.compactMap { quotient($0.answersPerSecond, $1.answersPerSecond) })
        cpuRatio = median(pairs.compactMap { quotient($0.cpuPerAnswer, $1.cpuPerAnswer) })
    }
}

private func quotient(_ left: Double?, _ right: Double?) -> Double? {
    guard let left, let right, right > 0 else { return nil }
    return left / right
}

func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return nil }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

private func quantile(_ sorted: [UInt32], _ part: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))])
}
