// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
public import Wire

/// The snapshot as JSON: what the control socket carries and `top --once --json` prints.
///
/// Metrics have their Prometheus names without prefix: `*_total` counts since the start, `*_by_result` and
/// `*_by_reason` split the total of the same name, `registered_*` are gauges, `*_per_second` rates of the last whole
/// second. `registrations` lists the rows asked for, `{uuid,address,age_s,expires_s,kind,lease_s,sequence}`, times in
/// whole seconds. The rest is what the dashboard draws: `history`, `feed`, `page`.
extension IndexSnapshot {
    public var json: JSONObject {
        var object: JSONObject = [
            "time": .string(time.rfc3339),
            "version": .string(server.version),
            "listen": .string(server.listen),
            "control": server.control.map { .string($0) } ?? .null,
            "boot": .string(server.boot),
            "uptime_seconds": .number(uptime.seconds),
            "server_key": server.key.map { .string($0) } ?? .null,
        ]
        object.add(counters)
        object["queries_per_second"] = .integer(Int64(queries.latest))
        object["registrations_per_second"] = .integer(Int64(registrations.latest))
        object["keepalives_per_second"] = .integer(Int64(keepalives.latest))
        object["errors_per_second"] = .integer(Int64(errors.latest))
        object["handling_p50_microseconds"] = latency.median.jsonMicroseconds
        object["handling_p99_microseconds"] = latency.p99.jsonMicroseconds
        object["handling_recent_count"] = .count(latency.count)
        object["registered_peers"] = .integer(Int64(use.total))
        object["registered_keyed"] = .integer(Int64(use.keyed))
        object["registered_seeds"] = .integer(Int64(use.seeds))
        object["record_bytes"] = .integer(Int64(use.recordBytes))
        object["resident_memory_bytes"] = residentBytes.map { .count($0) } ?? .null
        object["cpu_seconds_total"] = cpu.map { .number($0.seconds) } ?? .null
        object["loops"] = .integer(Int64(loops))
        object["store"] = .object(store.json)
        object["relay"] = .object(relay.json)
        object["sources"] = .array(sources.map { .object($0.json) })
        object["notices"] = .array(notices.map { .object($0.json) })
        object["registrations"] = .array(page.rows.map { .object($0.json) })
        object["page"] = .object(page.json)
        object["history"] = .object([
            "queries": .object(queries.json), "registrations": .object(registrations.json),
            "keepalives": .object(keepalives.json), "errors": .object(errors.json),
            "p50_microseconds": .array(latencyHistory.map { .integer(Int64($0.median)) }),
            "p99_microseconds": .array(latencyHistory.map { .integer(Int64($0.p99)) }),
        ])
        object["detail"] = detail.map { .object($0.json) }
        object["feed_last"] = .count(feedLast)
        object["feed"] = .array(feed.map { .object($0.json) })
        return object
    }

    /// `json` as one line of text, safe to print.
    public var jsonText: String { String(decoding: json.encoded(.invisible), as: UTF8.self) }

    /// Reads what `json` wrote.
    /// - Throws: `badMember` with the first member that is missing or unusable.
    public init(json object: JSONObject) throws(WireError) {
        let history = try object.object("history")
        self.init(
            time: try object.time("time"),
            uptime: try object.span("uptime_seconds"),
            server: ServerInfo(
                version: try object.text("version"), listen: try object.text("listen"),
                control: object.string("control"), boot: try object.text("boot"),
                key: object.string("server_key")),
            counters: try object.counters(),
            queries: try RateSeries(json: history.object("queries")),
            registrations: try RateSeries(json: history.object("registrations")),
            keepalives: try RateSeries(json: history.object("keepalives")),
            errors: try RateSeries(json: history.object("errors")),
            latency: LatencySummary(
                count: try object.count("handling_recent_count"),
                median: try object.span("handling_p50_microseconds", unit: 1e3),
                p99: try object.span("handling_p99_microseconds", unit: 1e3)),
            use: RegistryUse(
                keyed: try object.int("registered_keyed"), seeds: try object.int("registered_seeds"),
                recordBytes: try object.int("record_bytes")),
            residentBytes: try? object.count("resident_memory_bytes"),
            page: try RowPage(json: object.object("page"), rows: object.objects("registrations")),
            feed: try object.objects("feed").map { (entry) throws(WireError) in try FeedEntry(json: entry) },
            feedLast: try object.count("feed_last"))
        cpu = try? object.span("cpu_seconds_total")
        loops = try object.int("loops")
        store = try StoreHealth(json: object.object("store"))
        relay = try RelayStatistics(json: object.object("relay"))
        sources = try object.objects("sources").map { (source) throws(WireError) in try SourceRow(json: source) }
        notices = try object.objects("notices").map { (notice) throws(WireError) in try OperatorNotice(json: notice) }
        latencyHistory = zip(
            try history.numbers("p50_microseconds"), try history.numbers("p99_microseconds")
        ).map { LatencySample(median: $0, p99: $1) }
        detail = object["detail"] == nil ? nil : try PeerDetail(json: object.object("detail"))
    }
}

extension SnapshotRequest {
    /// The request as the control socket carries it.
    public var json: JSONObject {
        var object: JSONObject = [
            "rows": .object(rows.json), "feed_after": .count(feedAfter), "pairs": .bool(wantsPairs),
        ]
        object["detail"] = detail.map { .string("\($0)") }
        return object
    }

    /// Reads what `json` wrote. The limit and the filter come out bounded.
    /// - Throws: `badMember`.
    public init(json object: JSONObject) throws(WireError) {
        self.init(
            rows: try RowRequest(json: object.object("rows")), feedAfter: try object.count("feed_after"),
            detail: object["detail"] == nil ? nil : try object.peer("detail"),
            wantsPairs: object["pairs"] == nil ? true : try object.flag("pairs"))
    }
}

// MARK: Counters

extension IndexCounters {
    fileprivate typealias Field = (name: String, path: WritableKeyPath<IndexCounters, UInt64>)

    fileprivate static var queryResults: [Field] {
        [("hit", \.hits), ("miss", \.misses), ("invalid", \.invalidQueries)]
    }
    fileprivate static var registrationResults: [Field] {
        [("new", \.newRegistrations), ("renew", \.renewals), ("moved", \.moves), ("seed", \.seedRegistrations)]
    }
    fileprivate static var plain: [Field] {
        [
            ("challenges_total", \.challenges), ("keepalives_total", \.keepalives), ("roams_total", \.roams),
            ("calls_total", \.calls), ("absent_total", \.absences), ("seen_total", \.sightings),
            ("malformed_total", \.malformed), ("ignored_total", \.ignored), ("receive_drops_total", \.receiveDrops),
            ("send_errors_total", \.sendErrors), ("limited_total", \.limited), ("unready_total", \.unready),
        ]
    }
}

extension JSONObject {
    fileprivate mutating func add(_ counters: IndexCounters) {
        func split(_ fields: [IndexCounters.Field]) -> JSONValue {
            .object(JSONObject(fields.map { ($0.name, .count(counters[keyPath: $0.path])) }))
        }
        self["queries_total"] = .count(counters.queries)
        self["queries_by_result"] = split(IndexCounters.queryResults)
        self["registrations_total"] = .count(counters.registrations)
        self["registrations_by_result"] = split(IndexCounters.registrationResults)
        self["rejected_total"] = .count(counters.denied)
        self["rejected_by_reason"] = .object(
            JSONObject(Denial.allCases.map { ($0.rawValue, .count(counters[$0])) }))
        for (name, path) in IndexCounters.plain { self[name] = .count(counters[keyPath: path]) }
        self["errors_total"] = .count(counters.errors)
    }

    fileprivate func counters() throws(WireError) -> IndexCounters {
        var counters = IndexCounters()
        let queries = try object("queries_by_result")
        for (name, path) in IndexCounters.queryResults { counters[keyPath: path] = try queries.count(name) }
        let registrations = try object("registrations_by_result")
        for (name, path) in IndexCounters.registrationResults {
            counters[keyPath: path] = try registrations.count(name)
        }
        let rejected = try object("rejected_by_reason")
        for denial in Denial.allCases { counters[denial] = try rejected.count(denial.rawValue) }
        for (name, path) in IndexCounters.plain { counters[keyPath: path] = try count(name) }
        return counters
    }
}
