// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
@testable import IndexServer
import Model
import Network
import Support
import Testing
import Wire

/// A strict reader of the text format 0.0.4.
private struct Exposition {
    struct Malformed: Error { let line: String }

    private(set) var types: [String: String] = [:]
    /// By `name{labels}`.
    private(set) var values: [String: Double] = [:]
    private(set) var labels: Set<String> = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(line: "no end") }
        var (family, help) = ("", "")
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if let match = line.wholeMatch(of: /# HELP ([a-z_:][a-z0-9_:]*) (.+)/) {
                help = String(match.1)
            } else if let match = line.wholeMatch(of: /# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)/) {
                family = String(match.1)
                // Each family once, and its help before its type.
                guard family == help, types.updateValue(String(match.2), forKey: family) == nil else {
                    throw Malformed(line: String(line))
                }
            } else {
                try read(line, family)
            }
        }
        for (name, type) in types where type == "counter" && !name.hasSuffix("_total") { throw Malformed(line: name) }
    }

    private mutating func read(_ line: Substring, _ family: String) throws {
        let label = /[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"/
        guard let match = line.wholeMatch(of: /([a-z_:][a-z0-9_:]*)(?:\{(.+)\})? ([0-9.e+-]+)/),
            let value = Double(match.3), let type = types[family]
        else { throw Malformed(line: String(line)) }
        let name = String(match.1)
        let names = type == "histogram" ? ["_bucket", "_sum", "_count"].map { family + $0 } : [family]
        guard names.contains(name) else { throw Malformed(line: String(line)) }
        var rest = match.2 ?? ""
        while !rest.isEmpty {
            guard let pair = rest.prefixMatch(of: label) else { throw Malformed(line: String(line)) }
            labels.insert(String(pair.0.prefix { $0 != "=" }))
            rest = rest[pair.range.upperBound...]
            if rest.hasPrefix(",") { rest = rest.dropFirst() }
        }
        let key = match.2.map { "\(name){\($0)}" } ?? name
        guard values.updateValue(value, forKey: key) == nil else { throw Malformed(line: String(line)) }
    }
}

@Suite(.timeLimit(.minutes(1))) struct MetricsTests {
    @Test func `the page tells what happened, and of nobody in particular`() async throws {
        let store = try FakeStore()
        let site = try await Site {
            $0.metrics = ListenAddress(port: 0)
            $0.store = store
            $0.version = #"1"2\3"#
        }
        let endpoint = try #require(await site.server.metricsEndpoint)
        #expect(endpoint.isLoopback)
        let (socket, identity) = (try DatagramSocket(), Identity())
        _ = try socket.register(identity, at: site)
        _ = try socket.ask(#"{"req_type":"registration","addr":"10.1.2.3:5000"}"#, at: site.port)
        for peer in ["\(identity.peer)", "nobody"] {
            _ = try socket.ask(#"{"req_type":"query","queried_uuid":"\#(peer)"}"#, at: site.port)
        }
        try socket.send("junk", to: site.port)
        try await site.snapshot { $0.counters.datagrams == 6 }

        let caller = try StreamSocket(port: endpoint.port)
        try caller.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let answer = try #require(try caller.readToEnd())
        let body = try #require(answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) })
        let page = try Exposition(body)
        let expected: [String: Double] = [
            #"parley_index_queries_total{result="hit"}"#: 1, #"parley_index_queries_total{result="miss"}"#: 0,
            #"parley_index_queries_total{result="invalid"}"#: 1,
            #"parley_index_requests_total{op="registration",result="new"}"#: 1,
            #"parley_index_requests_total{op="registration",result="seed"}"#: 1,
            #"parley_index_requests_total{op="registration",result="proof"}"#: 1,
            #"parley_index_rejected_total{reason="ignored"}"#: 1,
            #"parley_index_rejected_total{reason="store_failed"}"#: 0,
            #"parley_index_registrations{kind="keyed"}"#: 1, #"parley_index_registrations{kind="seed"}"#: 1,
            "parley_index_limited_total": 0, "parley_index_unready_total": 0, "parley_index_receive_drops_total": 0,
            #"parley_index_build_info{version="1\"2\\3"}"#: 1, "parley_index_loops": 2,
            "parley_index_query_duration_seconds_count": 6,
            #"parley_index_query_duration_seconds_bucket{le="+Inf"}"#: 6,
            "parley_index_store_rows_written_total": 2, "parley_index_store_failing": 0,
            "parley_index_store_bytes": 4096,
        ]
        for (name, value) in expected { #expect(page.values[name] == value, "\(name)") }
        #expect(page.types["parley_index_query_duration_seconds"] == "histogram")
        for name in [
            "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds",
            "parley_index_query_duration_seconds_sum", "parley_index_store_commits_total",
        ] {
            #expect(page.values[name, default: 0] > 0, "\(name)")
        }
        let start = page.values["process_start_time_seconds", default: 0]
        let now = Double(Clocks.system.wall().milliseconds) / 1000
        #expect(start < now && start > now - 3600)
        #expect(page.labels == ["result", "op", "reason", "kind", "version", "le", "quantile"])
        for private_ in ["\(identity.peer)", "10.1.2.3", "127.0.0.1"] { #expect(!body.contains(private_)) }
        await site.server.stop()
    }

    @Test func `buckets are cumulative`() {
        var text = PrometheusText()
        text.addHistogram("h", "Help.", bounds: [(0.5, 1), (1, 3)], count: 4, sum: .milliseconds(2500))
        #expect(
            text.text == """
                # HELP h Help.
                # TYPE h histogram
                h_bucket{le="0.5"} 1
                h_bucket{le="1.0"} 3
                h_bucket{le="+Inf"} 4
                h_sum 2.5
                h_count 4

                """)
    }

    @Test func `a taken port for metrics is told, and the control socket is given back`() async throws {
        let site = try await Site { $0.metrics = ListenAddress(port: 0) }
        let port = try #require(await site.server.metricsEndpoint).port
        let control = site.data.file("second.sock")
        let listen = ListenAddress(address: .v4(0x7F00_0001), port: 0)
        let second = try IndexServer(
            IndexServerConfiguration(
                listen: listen, control: control, metrics: ListenAddress(port: port), version: "test"),
            clocks: .system)
        await #expect(throws: NetworkError.self) { try await second.start() }
        let visitor = try Visitor()
        await #expect(throws: NetworkError.self) { try await visitor.enter(control) }
        await site.server.stop()
    }
}
