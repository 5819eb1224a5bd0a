// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import Testing

/// Two network namespaces with a bad line between them, as long as this and the programs in them live.
struct BadLine: Sendable {
    /// What happens to packets, each way: percentages and milliseconds.
    struct Faults: Sendable {
        var loss = 0
        var duplicate = 0
        var reorder = 0
        var delay = 0
        var jitter = 0

        /// The roughest line that a conversation must not notice but by waiting.
        static let rough = Faults(loss: 30, duplicate: 10, reorder: 25, delay: 40, jitter: 10)

        fileprivate var arguments: [String] {
            [("loss", loss), ("duplicate", duplicate), ("reorder", reorder), ("delay", delay), ("jitter", jitter)]
                .flatMap { ["--\($0)", "\($1)"] }
        }
    }

    enum Side: Int, Sendable { case near, far }

    /// Whether this machine lets us make namespaces.
    static let isPossible = geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0
    static let needs: Comment = "network namespaces need root and /dev/net/tun"

    private let impair: ChildProcess
    private let namespaces: [String]
    private let addresses: [String]

    /// - Parameter pcap: where everything that enters the line is written.
    init(_ faults: Faults, seed: UInt64 = 1, pcap: String? = nil) throws {
        let recording = pcap.map { ["--pcap", $0] } ?? []
        impair = try ChildProcess(
            [try Executables.helper("impair"), "--seed", "\(seed)"] + faults.arguments + recording)
        let first = try JSON(try impair.nextLine().text)
        namespaces = first["namespaces"]?.array?.compactMap(\.string) ?? []
        addresses = first["addresses"]?.array?.compactMap(\.string) ?? []
        guard namespaces.count == 2, addresses.count == 2 else {
            throw ChildProcess.Missing(description: "impair: \(impair.transcript)")
        }
    }

    func address(_ side: Side) -> String { addresses[side.rawValue] }

    /// What starts a program on one side.
    func launcher(_ side: Side) -> [String] { ["nsenter", "--net=\(namespaces[side.rawValue])"] }

    /// A user who lives on one side.
    func user(_ name: String, _ side: Side, index: String) throws -> User {
        var user = try User(name, index: index)
        user.host = address(side)
        user.launcher = launcher(side)
        return user
    }

    /// An index server on one side, and its address.
    func startIndex(_ side: Side) throws -> (server: ChildProcess, data: TemporaryDirectory, address: String) {
        let site = try IndexSite()
        let address = "\(address(side)):\(site.port)"
        let server = try ChildProcess(launcher(side) + site.arguments(listen: address) + ["--headless"])
        return (server, site.data, address)
    }

    /// Lets nothing through, or everything that chance does.
    func cut(_ isCut: Bool) throws {
        try impair.send(isCut ? "cut" : "mend")
        _ = try impair.nextLine()
    }

    /// What the line did to packets from one side.
    struct Counters: Sendable {
        let read, lost, duplicated, reordered, overflown: Int

        fileprivate init(_ json: JSON) {
            func value(_ name: String) -> Int { Int(json[name]?.number ?? -1) }
            (read, lost, duplicated) = (value("read"), value("lost"), value("duplicated"))
            (reordered, overflown) = (value("reordered"), value("overflown"))
        }
    }

    /// Takes the line away and says what it did, by side.
    func end() throws -> [Counters] {
        impair.closeInput()
        let last = try JSON(try impair.line("counters") { $0.hasPrefix("{\"from_") }.text)
        return try addresses.map { Counters(try #require(last["from_\($0)"])) }
    }
}
