// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import Reactor
import Wire

/// `bench`: loads an index server and, by turns, those that it is compared with.
struct BenchProgram: Sendable {
    private let options: BenchOptions
    private let placement: Placement

    /// On the thread that it is to run on.
    init(options: BenchOptions) {
        self.options = options
        placement = Placement(pinned: options.pin)
    }

    func run() async throws(ProgramFailure) -> Status {
        var report = BenchReport(rounds: options.rounds, seconds: options.seconds, isPinned: placement.isPinned)
        if let server = options.server {
            let endpoint: Endpoint
            do throws(NetworkError) {
                endpoint = try await HostResolver.resolve(server, defaultPort: WireLimits.indexPort)
            } catch { throw ProgramFailure(.failure, "\(error)") }
            complain(options.announcement(others: []))
            for load in options.loads { report.add(try measure(load, endpoint, child: nil, [])) }
        } else {
            try runBeside(&report)
        }
        guard !Task.isCancelled else { return .failure }
        writeAll(Array((options.json ? report.json : report.table).utf8) + [0x0A], to: STDOUT_FILENO)
        return report.hasWrongAnswers ? .failure : .ok
    }

    /// All servers as children, gone when this is over.
    private func runBeside(_ report: inout BenchReport) throws(ProgramFailure) {
        let others = startYardsticks(&report)
        complain(options.announcement(others: others.map(\.yardstick.name)))
        for load in options.loads where !Task.isCancelled {
            guard let index = startIndex(load, &report) else { continue }
            report.add(try measure(load, index.endpoint, child: index, others))
        }
        if options.measuresMemory { try measureMemory(&report) }
        if let rate = options.floodRate, !Task.isCancelled {
            report.flood = try FloodTrial(placement: placement, options: options, rate: rate).run()
        }
    }

    private func measureMemory(_ report: inout BenchReport) throws(ProgramFailure) {
        let trial = MemoryTrial(placement: placement, sockets: options.sockets)
        report.memory = [try trial.index(), try trial.signed()]
        guard options.yardsticks.contains(.redis) else { return }
        do throws(ProgramFailure) { report.memory.append(try trial.redis()) } catch {
            report.note("Without the memory of redis: \(error.message)")
        }
    }

    private func startYardsticks(_ report: inout BenchReport) -> [Running] {
        var running: [Running] = []
        for name in options.yardsticks {
            let yardstick = name.yardstick
            do throws(ProgramFailure) {
                let child = try placement.onServersCPU { () throws(ProgramFailure) in try yardstick.startAndWait() }
                running.append(Running(yardstick: yardstick, child: child))
            } catch { report.note("Without \(yardstick.name): \(error.message)") }
        }
        return running
    }

    private func startIndex(_ load: BenchLoad, _ report: inout BenchReport) -> BenchChild? {
        do throws(ProgramFailure) {
            return try placement.onServersCPU { () throws(ProgramFailure) in try BenchChild.index(store: load.store) }
        } catch {
            report.note("Without \(load.title): no server with --store \(load.store). \(error.message)")
            return nil
        }
    }

    // MARK: A load

    /// Rounds of all by turns.
    private func measure(
        _ load: BenchLoad, _ server: Endpoint, child: BenchChild?, _ others: [Running]
    ) throws(ProgramFailure) -> BenchReport.Load {
        let generator = try generator(server, load)
        let scripts = try IndexScripts(generator: generator).scripts(load.kind, seconds: options.seconds)
        var contenders: [Contender] = []
        for other in others {
            let generator = try self.generator(other.child.endpoint, load, for: other.yardstick)
            guard let theirs = try other.yardstick.scripts(load.kind, generator, index: scripts) else { continue }
            contenders.append(
                Contender(name: other.yardstick.name) { self.round(generator, theirs, other.child) })
        }
        if load.kind == .signed, child != nil { contenders.append(try SignatureCheck().contender) }
        contenders.append(
            Contender(name: "index") { () throws(ProgramFailure) in
                // Cookies last a minute or two, and a record counts once.
                let isSpent = load.kind == .signed
                let scripts =
                    isSpent
                    ? try IndexScripts(generator: generator).scripts(load.kind, seconds: self.options.seconds) : scripts
                return self.round(generator, scripts, child)
            })
        var rounds = [[BenchRound]](repeating: [], count: contenders.count)
        for _ in 0..<options.rounds where !Task.isCancelled {
            for (index, contender) in contenders.enumerated() { rounds[index].append(try contender.round()) }
        }
        let own = rounds.last ?? []
        guard own.contains(where: { $0.answers + $0.wrong > 0 }) || Task.isCancelled else {
            throw ProgramFailure(.indexUnreachable, "The server answers none of \(load.title).")
        }
        return BenchReport.Load(
            load: load, figures: zip(contenders, rounds).reversed().map { BenchFigures($0.name, $1, index: own) })
    }

    private func generator(
        _ server: Endpoint, _ load: BenchLoad, for yardstick: (any Yardstick)? = nil
    ) throws(ProgramFailure) -> LoadGenerator {
        try LoadGenerator(
            server, isStream: yardstick?.isStream ?? false,
            sockets: yardstick?.sockets(options.sockets, load) ?? options.sockets, outstanding: load.outstanding)
    }

    private func round(_ generator: LoadGenerator, _ scripts: [BenchScript], _ child: BenchChild?) -> BenchRound {
        let before = child?.group.cpuTime
        var round = generator.run(scripts, seconds: options.seconds)
        if let child, let before { round.cpu = child.group.cpuTime &- before }
        return round
    }

    private struct Running {
        let yardstick: any Yardstick
        let child: BenchChild
    }
}

/// Somebody whose rounds are measured.
struct Contender {
    let name: String
    let round: () throws(ProgramFailure) -> BenchRound
}

extension BenchChild {
    /// An index server with nothing in its store.
    static func index(store: String) throws(ProgramFailure) -> BenchChild {
        let directory = try ScratchDirectory()
        // What a pair may send is not what is measured.
        try directory.write(
            """
            relay = true
            relay_rate_bits_per_s = 100_000_000_000
            relay_burst_bytes = 1_000_000_000
            relay_total_bits_per_s = 1_000_000_000_000

            """, to: "config.toml")
        return try BenchChild(
            own: [
                "serve", "--headless", "--quiet", "--listen", "127.0.0.1:0", "--store", store, "--data-dir",
                directory.path, "--config", directory.file("config.toml"),
            ], in: directory)
    }
}
