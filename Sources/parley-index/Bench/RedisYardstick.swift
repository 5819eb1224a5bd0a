// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit

/// redis-server without persistence: GET for a query, SET for a registration, over TCP (RESP 2).
///
/// A connection has one request under way, as peers have that know nothing of one another; pipelined, it has as many as
/// a socket of the index server's load, and one system call carries several.
struct RedisYardstick: Yardstick {
    let isPipelined: Bool
    var name: String { isPipelined ? "redis-pipe" : "redis" }
    let isStream = true
    var probe: [UInt8] { command("PING") }

    func sockets(_ usual: Int, _ load: BenchLoad) -> Int { isPipelined ? usual : load.outstanding }

    func start() throws(ProgramFailure) -> BenchChild {
        let (path, port) = (try program("redis-server", package: "redis-server"), try port())
        let directory = try ScratchDirectory()
        let arguments = [
            "--bind", "127.0.0.1", "--port", "\(port)", "--save", "", "--appendonly", "no", "--dir", directory.path,
        ]
        return try BenchChild(path, arguments, port: port, in: directory)
    }

    func scripts(
        _ kind: BenchLoad.Kind, _ generator: LoadGenerator, index: [BenchScript]
    ) throws(ProgramFailure) -> [BenchScript]? {
        switch kind {
        case .queries:
            for exchange in sets(0..<IndexScripts.peers) {
                guard try answer(exchange.request, generator) == exchange.answer else {
                    throw ProgramFailure(.failure, "redis refused a SET.")
                }
            }
            return Array(repeating: BenchScript((0..<IndexScripts.peers).map(get)), count: generator.count)
        case .registrations:
            return Array(repeating: BenchScript(sets(0..<IndexScripts.peers)), count: generator.count)
        case .keepalives, .durable, .signed, .mixed, .relay: return nil
        }
    }

    func sets(_ numbers: Range<Int>) -> [BenchScript.Exchange] {
        numbers.map { number in
            .init(request: command("SET", key(number), value(number)), answer: Array("+OK\r\n".utf8), rule: .exactly)
        }
    }

    private func get(_ number: Int) -> BenchScript.Exchange {
        let value = value(number)
        let answer = Array("$\(value.utf8.count)\r\n\(value)\r\n".utf8)
        return .init(request: command("GET", key(number)), answer: answer, rule: .exactly)
    }

    private func command(_ words: String...) -> [UInt8] {
        Array(("*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    }
}
