// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc

/// Another server to hold the index server against: started with what makes it fast, and asked for what is most like
/// the index server's work.
protocol Yardstick: Sendable {
    var name: String { get }
    /// Whether it is spoken to over connections instead of datagrams.
    var isStream: Bool { get }
    /// How many sockets a load comes from, when it comes to the index server from so many.
    func sockets(_ usual: Int, _ load: BenchLoad) -> Int
    /// A request that it answers once it runs.
    var probe: [UInt8] { get }

    func start() throws(ProgramFailure) -> BenchChild

    /// What does to it what a load does to the index server, a script a socket; `nil` when it has nothing like it.
    /// - Parameter index: the index server's scripts of that load.
    func scripts(
        _ kind: BenchLoad.Kind, _ generator: LoadGenerator, index: [BenchScript]
    ) throws(ProgramFailure) -> [BenchScript]?
}

extension Yardstick {
    var isStream: Bool { false }

    func sockets(_ usual: Int, _ load: BenchLoad) -> Int { usual }

    /// Starts it and returns when it answers.
    func startAndWait() throws(ProgramFailure) -> BenchChild {
        let child = try start()
        for _ in 0..<100 where !Task.isCancelled {
            if LoadLane(child.endpoint, isStream: isStream, window: 1)?.ask(probe) != nil { return child }
            _ = poll(nil, 0, 50)
        }
        throw ProgramFailure(.failure, "\(name) does not answer.")
    }

    /// The program of a Debian package.
    func program(_ name: String, package: String) throws(ProgramFailure) -> String {
        guard let path = findProgram(name) else {
            throw ProgramFailure(.failure, "\(name) is not installed (Debian package \(package)).")
        }
        return path
    }

    func port() throws(ProgramFailure) -> UInt16 {
        guard let port = freePort() else { throw ProgramFailure(.failure, "The system gave no free port.") }
        return port
    }

    func answer(_ request: [UInt8], _ generator: LoadGenerator) throws(ProgramFailure) -> [UInt8] {
        guard let answer = generator.ask(request) else {
            throw ProgramFailure(.failure, "\(name) does not answer.")
        }
        return answer
    }

    /// Names as long as a peer ID, one a registered peer.
    func key(_ number: Int) -> String {
        let digits = String(number)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    /// Values as long as the longest IPv4 address and port.
    func value(_ number: Int) -> String { "192.168.200.201:\(10_000 + number % 50_000)" }
}

/// The yardsticks by name.
enum YardstickName: String, CaseIterable, Sendable {
    case echo, redis
    case pipelined = "redis-pipe"
    case opentracker, nsd

    static var all: String { allCases.map(\.rawValue).joined(separator: ", ") }

    var yardstick: any Yardstick {
        switch self {
        case .echo: EchoYardstick()
        case .redis: RedisYardstick(isPipelined: false)
        case .pipelined: RedisYardstick(isPipelined: true)
        case .opentracker: TrackerYardstick()
        case .nsd: NameServerYardstick()
        }
    }
}

/// A number in network order.
func networkOrder(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
