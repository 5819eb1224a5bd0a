// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

extension RegistrationRow {
    var json: JSONObject {
        var object: JSONObject = [
            "uuid": .string("\(peer)"), "address": .string("\(address)"), "age_s": .integer(Int64(age.wholeSeconds)),
            "expires_s": .integer(Int64(expires.wholeSeconds)), "kind": .string(kind),
            "lease_s": .integer(Int64(lease.wholeSeconds)),
        ]
        object["sequence"] = sequence.map { .count($0) }
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        self.init(
            peer: try object.peer("uuid"), address: try object.endpoint("address"), age: try object.span("age_s"),
            expires: try object.span("expires_s"), lease: try object.span("lease_s"),
            sequence: object["sequence"] == nil ? nil : try object.count("sequence"))
    }
}

extension RowPage {
    var json: JSONObject {
        ["request": .object(request.json), "offset": .integer(Int64(offset)), "matching": .integer(Int64(matching))]
    }

    init(json object: JSONObject, rows: [JSONObject]) throws(WireError) {
        self.init(
            request: try RowRequest(json: object.object("request")), offset: try object.int("offset"),
            rows: try rows.map { (row) throws(WireError) in try RegistrationRow(json: row) },
            matching: try object.int("matching"))
    }
}

extension RowRequest {
    /// Bytes of a filter that a display may ask for.
    public static let filterLimit = 64

    var json: JSONObject {
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

    init(json object: JSONObject) throws(WireError) {
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
    var json: JSONObject {
        var object: JSONObject = ["per_second": .array(perSecond.map { .integer(Int64($0)) })]
        if let peak {
            object["peak"] = .integer(Int64(peak.perSecond))
            object["peak_time"] = .string(peak.time.rfc3339)
        }
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        self.init(perSecond: try object.numbers("per_second"))
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

    init(json object: JSONObject) {
        if let peer = object.string("uuid").flatMap({ PeerID($0) }) {
            self = .peer(peer)
        } else {
            self = object.string("text").map { .text($0) } ?? .none
        }
    }
}

extension FeedEntry {
    var json: JSONObject {
        var object: JSONObject = [
            "seq": .count(sequence), "time": .string(event.time.rfc3339), "op": .string(event.operation.rawValue),
            "src": .string("\(event.source)"), "result": .string(event.result.word),
        ]
        event.target.write(to: &object)
        object["us"] = .integer(Int64(microseconds))
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        guard let operation = IndexOperation(rawValue: try object.text("op")) else { throw .badMember("op") }
        guard let result = IndexResult(word: try object.text("result")) else { throw .badMember("result") }
        let event = IndexEvent(
            time: try object.time("time"), operation: operation, source: try object.endpoint("src"),
            target: IndexTarget(json: object), result: result)
        self.init(
            sequence: try object.count("seq"), event: event, microseconds: UInt32(clamping: try object.count("us")))
    }
}
