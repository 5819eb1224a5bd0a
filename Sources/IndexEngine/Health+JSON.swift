// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

extension StoreHealth {
    var json: JSONObject {
        var object: JSONObject = [
            "kind": .string(kind), "waiting": .integer(Int64(waiting)), "commits_total": .count(commits),
            "rows_written_total": .count(rowsWritten), "commits_recent_count": .count(latency.count),
            "commit_p50_microseconds": latency.median.jsonMicroseconds,
            "commit_p99_microseconds": latency.p99.jsonMicroseconds, "bytes": bytes.map { .count($0) } ?? .null,
        ]
        switch state {
        case .ready: object["state"] = "ready"
        case .loading(let rows):
            object["state"] = "loading"
            object["rows"] = .integer(Int64(rows))
        case .failing(let reason, let since):
            object["state"] = "failing"
            object["reason"] = .string(reason)
            object["since"] = .string(since.rfc3339)
        }
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        let state: State =
            switch try object.text("state") {
            case "ready": .ready
            case "loading": .loading(rows: try object.int("rows"))
            case "failing": .failing(reason: try object.text("reason"), since: try object.time("since"))
            default: throw .badMember("state")
            }
        self.init(
            kind: try object.text("kind"), state: state, waiting: try object.int("waiting"),
            commits: try object.count("commits_total"), rowsWritten: try object.count("rows_written_total"),
            latency: LatencySummary(
                count: try object.count("commits_recent_count"),
                median: try object.span("commit_p50_microseconds", unit: 1e3),
                p99: try object.span("commit_p99_microseconds", unit: 1e3)),
            bytes: try? object.count("bytes"))
    }
}

extension SourceRow {
    var json: JSONObject {
        [
            "prefix": .string("\(prefix)"), "requests_total": .count(requests), "errors_total": .count(errors),
            "limited_total": .count(limited),
        ]
    }

    init(json object: JSONObject) throws(WireError) {
        guard let prefix = Endpoint.address(try object.text("prefix")) else { throw .badMember("prefix") }
        self.init(
            prefix: prefix, requests: try object.count("requests_total"), errors: try object.count("errors_total"),
            limited: try object.count("limited_total"))
    }
}

extension OperatorNotice {
    var json: JSONObject { ["time": .string(time.rfc3339), "text": .string(text)] }

    init(json object: JSONObject) throws(WireError) {
        self.init(time: try object.time("time"), text: try object.text("text"))
    }
}

extension PeerDetail {
    var json: JSONObject {
        var object: JSONObject = [
            "uuid": .string("\(peer)"), "record": .string(Base64URL.encode(record)),
            "queries": .array(queries.map { .object($0.json) }),
        ]
        object["row"] = row.map { .object($0.json) }
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        guard let record = Base64URL.decode(try object.text("record")) else { throw .badMember("record") }
        self.init(
            peer: try object.peer("uuid"),
            row: object["row"] == nil ? nil : try RegistrationRow(json: object.object("row")), record: record,
            queries: try object.objects("queries").map { (entry) throws(WireError) in try FeedEntry(json: entry) })
    }
}
