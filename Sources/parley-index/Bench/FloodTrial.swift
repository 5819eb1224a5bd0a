// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model

/// What real queries feel of a flood of junk: the same modest load without one and under it.
struct FloodTrial {
    struct Figures {
        let idle: BenchFigures
        let flooded: BenchFigures
        /// Requests sent in all, those without an answer included.
        let asked: Int
        /// Datagrams of junk that were sent a second.
        let rate: Double

        var unanswered: Double { Double(flooded.lost) / Double(max(1, asked)) }
    }

    let placement: Placement
    let options: BenchOptions
    /// Datagrams a second.
    let rate: Int

    private static let clients = 8
    /// Between an answer and a client's next question: a millisecond.
    private static let pause: UInt64 = 1_000_000

    func run() throws(ProgramFailure) -> Figures {
        let child = try placement.onServersCPU { () throws(ProgramFailure) in try BenchChild.index(store: "memory") }
        let generator = try LoadGenerator(child.endpoint, sockets: Self.clients, outstanding: Self.clients)
        let scripts = try IndexScripts(generator: generator).scripts(.queries, seconds: options.seconds)
        var (idle, flooded, rates): ([BenchRound], [BenchRound], [Double]) = ([], [], [])
        for _ in 0..<options.rounds where !Task.isCancelled {
            idle.append(round(generator, scripts, child))
            let flood = try BenchChild(own: [
                "bench-flood", "\(child.endpoint)", "\(rate)", "\(options.seconds + 1)",
            ])
            flooded.append(round(generator, scripts, child))
            rates.append(flood.nextLine().flatMap { Double($0) } ?? 0)
        }
        return Figures(
            idle: BenchFigures("idle", idle, index: idle), flooded: BenchFigures("flooded", flooded, index: idle),
            asked: flooded.reduce(0) { $0 + $1.answers + $1.lost }, rate: median(rates) ?? 0)
    }

    private func round(_ generator: LoadGenerator, _ scripts: [BenchScript], _ child: BenchChild) -> BenchRound {
        let before = child.group.cpuTime
        var round = generator.run(scripts, seconds: options.seconds, pause: Self.pause)
        round.cpu = child.group.cpuTime &- before
        return round
    }
}
