// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit

/// nsd with one server process: a TXT record (RFC 1035) for a query.
struct NameServerYardstick: Yardstick {
    let name = "nsd"
    var probe: [UInt8] { question(0) }

    private static let zone = "bench.test"

    func start() throws(ProgramFailure) -> BenchChild {
        let (path, port) = (try program("nsd", package: "nsd"), try port())
        let directory = try ScratchDirectory()
        try directory.write(zoneFile, to: "zone")
        try directory.write(configuration(directory, port), to: "nsd.conf")
        return try BenchChild(path, ["-d", "-c", directory.file("nsd.conf")], port: port, in: directory)
    }

    func scripts(
        _ kind: BenchLoad.Kind, _ generator: LoadGenerator, index: [BenchScript]
    ) throws(ProgramFailure) -> [BenchScript]? {
        guard kind == .queries else { return nil }
        let exchanges = try (0..<IndexScripts.peers).map { number throws(ProgramFailure) in
            try lookup(number, generator)
        }
        return Array(repeating: BenchScript(exchanges), count: generator.count)
    }

    /// What is answered now, if it is right, is to be answered ever after.
    private func lookup(_ number: Int, _ generator: LoadGenerator) throws(ProgramFailure) -> BenchScript.Exchange {
        let request = question(number)
        let answer = try answer(request, generator)
        let text = Array(value(number).utf8)
        let record = [UInt8(text.count)] + text
        guard answer.count > request.count, answer.starts(with: request[..<2]), answer[3] & 0xF == 0,
            answer[request.count...].indices.contains(where: { answer[$0...].starts(with: record) })
        else { throw ProgramFailure(.failure, "nsd does not know its zone.") }
        return .init(request: request, answer: answer, rule: .exactly)
    }

    /// Header, name, TXT, IN.
    private func question(_ number: Int) -> [UInt8] {
        let header: [UInt16] = [UInt16(truncatingIfNeeded: number), 0, 1, 0, 0, 0]
        let labels = [key(number)] + Self.zone.split(separator: ".").map(String.init)
        let name = labels.reduce(into: [UInt8]()) { $0 += [UInt8($1.utf8.count)] + Array($1.utf8) } + [0]
        return header.flatMap(networkOrder) + name + networkOrder(UInt16(16)) + networkOrder(UInt16(1))
    }

    private var zoneFile: String {
        let head = """
            $ORIGIN \(Self.zone).
            $TTL 3600
            @ IN SOA ns root 1 3600 600 86400 3600
            @ IN NS ns
            ns IN A 127.0.0.1

            """
        return head + (0..<IndexScripts.peers).map { "\(key($0)) IN TXT \"\(value($0))\"\n" }.joined()
    }

    private func configuration(_ directory: ScratchDirectory, _ port: UInt16) -> String {
        """
        server:
            server-count: 1
            ip-address: 127.0.0.1@\(port)
            username: ""
            zonesdir: "\(directory.path)"
            database: ""
            pidfile: "\(directory.file("pid"))"
            xfrdfile: "\(directory.file("xfrd"))"
            zonelistfile: "\(directory.file("zones"))"
            minimal-responses: yes
            rrl-ratelimit: 0
        remote-control:
            control-enable: no
        zone:
            name: "\(Self.zone)"
            zonefile: "zone"

        """
    }
}
