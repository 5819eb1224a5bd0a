// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Wire

/// The snapshot as JSON: what the control socket carries and `top --once --json` prints.
///
/// Metrics have their Prometheus names without prefix: `*_total` counts since the start, `*_by_result` and `*_by_reason`
/// split the total of the same name, `registered_*` are gauges, `*_per_second` rates of the last whole second.
/// `registrations` lists the rows asked for, `{uuid,address,age_s,expires_s,kind,lease_s,sequence}`, times in whole
/// seconds. The rest is what the dashboard draws: `history`, `feed`, `page`.
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
        object["registrations"] = .array(page.rows.map { .object($0.json) })
        object["page"] = .object(page.json)
        object["history"] = .object([
            "queries": .object(queries.json), "registrations": .object(registrations.json),
            "keepalives": .object(keepalives.json), "errors": .object(errors.json),
        ])
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
    }
}

extension SnapshotRequest {
    /// The request as the control socket carries it.
    public var json: JSONObject { ["rows": .object(rows.json), "feed_after": .count(feedAfter)] }

    /// Reads what `json` wrote. The limit and the filter come out bounded.
    /// - Throws: `badMember`.
    public init(json object: JSONObject) throws(WireError) {
        self.init(rows: try RowRequest(json: object.object("rows")), feedAfter: try object.count("feed_after"))
    }
}

extension IndexEvent {
    /// One line for a log of JSON lines.
    /// - Parameter masked: whether the source's last part is hidden.
    public func logJSON(took: Span, masked: Bool) -> JSONObject {
        var object: JSONObject = [
            "ts": .string(time.rfc3339),
            "level": .string(result.isError ? "warn" : "info"),
            "event": .string(operation.rawValue),
            "src": .string(masked ? source.masked : source.description),
            "result": .string(result.word),
        ]
        target.write(to: &object)
        object["dur_us"] = .count(took.nanoseconds / 1000)
        return object
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
            ("malformed_total", \.malformed), ("ignored_total", \.ignored), ("receive_drops_total", \.receiveDrops),
            ("send_errors_total", \.sendErrors),
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

// MARK: Parts

extension RegistrationRow {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "uuid": .string("\(peer)"), "address": .string("\(address)"), "age_s": .integer(Int64(age.wholeSeconds)),
            "expires_s": .integer(Int64(expires.wholeSeconds)), "kind": .string(kind),
            "lease_s": .integer(Int64(lease.wholeSeconds)),
        ]
        object["sequence"] = sequence.map { .count($0) }
        return object
    }

    fileprivate init(json object: JSONObject) throws(WireError) {
        self.init(
            peer: try object.peer("uuid"), address: try object.endpoint("address"), age: try object.span("age_s"),
            expires: try object.span("expires_s"), lease: try object.span("lease_s"),
            sequence: object["sequence"] == nil ? nil : try object.count("sequence"))
    }
}

extension RowPage {
    fileprivate var json: JSONObject {
        ["request": .object(request.json), "offset": .integer(Int64(offset)), "matching": .integer(Int64(matching))]
    }

    fileprivate init(json object: JSONObject, rows: [JSONObject]) throws(WireError) {
        self.init(
            request: try RowRequest(json: object.object("request")), offset: try object.int("offset"),
            rows: try rows.map { (row) throws(WireError) in try RegistrationRow(json: row) },
            matching: try object.int("matching"))
    }
}

extension RowRequest {
    /// Bytes of a filter that a display may ask for.
    public static let filterLimit = 64

    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "sort": .string(sort.rawValue), "descending": .bool(descending), "filter": .string(filter),
            "offset": .integer(Int64(offset)), "limit": .integer(Int64(limit)),
        ]
        if let anchor {
            object["anchor"] = .string("\(anchor.peer)")
            object["anchor_row"] = .integer(Int64(anchor.position))
        }
        return object
    }

    fileprivate init(json object: JSONObject) throws(WireError) {
        guard let sort = RowSort(rawValue: try object.text("sort")) else { throw .badMember("sort") }
        guard let descending = object.bool("descending") else { throw .badMember("descending") }
        let filter = try object.text("filter")
        guard filter.utf8.count <= Self.filterLimit else { throw .badMember("filter") }
        self.init(
            sort: sort, descending: descending, filter: filter, offset: try object.int("offset"),
            limit: try object.int("limit"),
            anchor: object["anchor"] == nil
                ? nil : Anchor(peer: try object.peer("anchor"), position: try object.int("anchor_row")))
    }
}

extension RateSeries {
    fileprivate var json: JSONObject {
        var object: JSONObject = ["per_second": .array(perSecond.map { .integer(Int64($0)) })]
        if let peak {
            object["peak"] = .integer(Int64(peak.perSecond))
            object["peak_time"] = .string(peak.time.rfc3339)
        }
        return object
    }

    fileprivate init(json object: JSONObject) throws(WireError) {
        guard case .array(let values)? = object["per_second"], values.count <= 3600 else {
            throw .badMember("per_second")
        }
        self.init(
            perSecond: values.map { if case .integer(let value) = $0 { UInt32(clamping: value) } else { 0 } })
        guard object["peak"] != nil else { return }
        peak = RatePeak(perSecond: UInt32(clamping: try object.count("peak")), time: try object.time("peak_time"))
    }
}

extension IndexTarget {
    fileprivate func write(to object: inout JSONObject) {
        switch self {
        case .peer(let peer): object["uuid"] = .string("\(peer)")
        case .text(let text): object["text"] = .string(text)
        case .none: break
        }
    }

    fileprivate init(json object: JSONObject) {
        if let peer = object.string("uuid").flatMap({ PeerID($0) }) {
            self = .peer(peer)
        } else {
            self = object.string("text").map { .text($0) } ?? .none
        }
    }
}

extension FeedEntry {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "seq": .count(sequence), "time": .string(event.time.rfc3339), "op": .string(event.operation.rawValue),
            "src": .string("\(event.source)"), "result": .string(event.result.word),
        ]
        event.target.write(to: &object)
        object["us"] = .integer(Int64(microseconds))
        return object
    }

    fileprivate init(json object: JSONObject) throws(WireError) {
        guard let operation = IndexOperation(rawValue: try object.text("op")) else { throw .badMember("op") }
        guard let result = IndexResult(word: try object.text("result")) else { throw .badMember("result") }
        let event = IndexEvent(
            time: try object.time("time"), operation: operation, source: try object.endpoint("src"),
            target: IndexTarget(json: object), result: result)
        self.init(
            sequence: try object.count("seq"), event: event, microseconds: UInt32(clamping: try object.count("us")))
    }
}

// MARK: Reading members

extension JSONValue {
    fileprivate static func count(_ number: UInt64) -> JSONValue { .integer(Int64(clamping: number)) }
}

extension Span {
    fileprivate var jsonMicroseconds: JSONValue { .number(Double(nanoseconds) / 1e3) }
}

extension JSONObject {
    fileprivate func text(_ name: String) throws(WireError) -> String {
        guard let text = string(name) else { throw .badMember(name) }
        return text
    }

    fileprivate func count(_ name: String) throws(WireError) -> UInt64 {
        guard let number = integer(name), number >= 0 else { throw .badMember(name) }
        return UInt64(number)
    }

    fileprivate func int(_ name: String) throws(WireError) -> Int { Int(clamping: try count(name)) }

    /// A length of time in `unit` nanoseconds, whole or not.
    fileprivate func span(_ name: String, unit: Double = 1e9) throws(WireError) -> Span {
        switch self[name] {
        case .integer(let whole)? where whole >= 0 && whole < 1_000_000_000_000_000:
            return Span(nanoseconds: UInt64((Double(whole) * unit).clamped))
        case .number(let number)? where number >= 0:
            return Span(nanoseconds: UInt64((number * unit).clamped))
        default: throw .badMember(name)
        }
    }

    fileprivate func time(_ name: String) throws(WireError) -> WallTime {
        guard let time = CreationTime.read(try text(name)) else { throw .badMember(name) }
        return time
    }

    fileprivate func peer(_ name: String) throws(WireError) -> PeerID {
        guard let peer = PeerID(try text(name)) else { throw .badMember(name) }
        return peer
    }

    fileprivate func endpoint(_ name: String) throws(WireError) -> Endpoint {
        guard let endpoint = Endpoint(try text(name)) else { throw .badMember(name) }
        return endpoint
    }

    fileprivate func object(_ name: String) throws(WireError) -> JSONObject {
        guard case .object(let object)? = self[name] else { throw .badMember(name) }
        return object
    }

    fileprivate func objects(_ name: String) throws(WireError) -> [JSONObject] {
        guard case .array(let values)? = self[name] else { throw .badMember(name) }
        return values.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }
}

extension Double {
    /// What an unsigned 64-bit number can hold.
    fileprivate var clamped: Double { rounded().isFinite ? Swift.min(rounded(), 0x1p63) : 0x1p63 }
}
