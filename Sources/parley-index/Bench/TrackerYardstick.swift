// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model

/// opentracker over UDP (BEP 15): a scrape of one torrent for a query, an announce for a registration.
struct TrackerYardstick: Yardstick {
    let name = "opentracker"
    var probe: [UInt8] { networkOrder(UInt64(0x417_2710_1980)) + networkOrder(UInt32(0)) + networkOrder(UInt32(1)) }

    func start() throws(ProgramFailure) -> BenchChild {
        let (path, port) = (try program("opentracker", package: "opentracker"), try port())
        let directory = try ScratchDirectory()
        // Debian's tracks listed torrents alone. Run by root it moves into the directory first: the list's name is
        // relative.
        let list = (0..<IndexScripts.peers).map { torrent($0).hex + "\n" }.joined()
        try directory.write(list, to: "torrents")
        let arguments = [
            "-i", "127.0.0.1", "-p", "\(port)", "-P", "\(port)", "-d", directory.path, "-w", "torrents",
        ]
        return try BenchChild(path, arguments, port: port, in: directory)
    }

    func scripts(
        _ kind: BenchLoad.Kind, _ generator: LoadGenerator, index: [BenchScript]
    ) throws(ProgramFailure) -> [BenchScript]? {
        let connection = Array(try answer(probe, generator).dropFirst(8))
        guard connection.count == 8 else { throw ProgramFailure(.failure, "opentracker gave no connection.") }
        switch kind {
        case .queries:
            let exchanges = try (0..<IndexScripts.peers).map { number throws(ProgramFailure) in
                _ = try answer(announce(number, connection).request, generator)
                return try scrape(number, connection, generator)
            }
            return Array(repeating: BenchScript(exchanges), count: generator.count)
        case .registrations:
            let exchanges = (0..<IndexScripts.peers).map { announce($0, connection) }
            return Array(repeating: BenchScript(exchanges), count: generator.count)
        case .keepalives, .durable, .signed, .mixed, .relay: return nil
        }
    }

    /// What is answered now, if it is right, is to be answered ever after.
    private func scrape(
        _ number: Int, _ connection: [UInt8], _ generator: LoadGenerator
    ) throws(ProgramFailure) -> BenchScript.Exchange {
        let head = networkOrder(UInt32(2)) + networkOrder(UInt32(number))
        let request = connection + head + torrent(number)
        let answer = try answer(request, generator)
        guard answer.count == 20, answer.starts(with: head), answer[12...].contains(where: { $0 != 0 }) else {
            throw ProgramFailure(.failure, "opentracker does not know what was announced.")
        }
        return .init(request: request, answer: answer, rule: .exactly)
    }

    /// The interval in its answer is random, so only what comes before it is known.
    private func announce(_ number: Int, _ connection: [UInt8]) -> BenchScript.Exchange {
        let head = networkOrder(UInt32(1)) + networkOrder(UInt32(number))
        let peer = Array("-PB0001-".utf8) + networkOrder(UInt32(number)) + networkOrder(UInt64(1))
        let left = networkOrder(UInt64(0)) + networkOrder(UInt64(1)) + networkOrder(UInt64(0))
        // started, own address, a key, no peers wanted
        let rest = [UInt32(2), 0, 1, 0].flatMap { networkOrder($0) } + networkOrder(UInt16(1024 + number % 60_000))
        return .init(request: connection + head + torrent(number) + peer + left + rest, answer: head, rule: .beginning)
    }

    /// 20 bytes that differ from one another from the first on.
    private func torrent(_ number: Int) -> [UInt8] {
        let word = UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
        return networkOrder(word) + networkOrder(word ^ 0xFFFF) + networkOrder(UInt32(number))
    }
}
