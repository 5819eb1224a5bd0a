// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import IndexEngine
import Model
import SafeText

/// `top --once`: the figures of a running server on standard output.
func printOnce(_ client: ControlClient, control: String, json: Bool) async throws(ProgramFailure) -> Status {
    guard let snapshot = await client.firstSnapshot(within: .seconds(2)) else {
        throw ProgramFailure(.indexUnreachable, "No parley-index answers at \(control).")
    }
    writeAll(Array(((json ? snapshot.jsonText : table(snapshot)) + "\n").utf8), to: STDOUT_FILENO)
    return .ok
}

private func table(_ snapshot: IndexSnapshot) -> String {
    let (use, counters) = (snapshot.use, snapshot.counters)
    var lines = [
        DisplayText("parley-index \(snapshot.server.version) at \(snapshot.server.listen)").string,
        "up             \(snapshot.uptime.wholeSeconds) s",
        "registrations  \(use.total) (\(use.keyed) key, \(use.seeds) seed)",
        "queries        \(counters.queries) (\(counters.hits) hit, \(counters.misses) miss,"
            + " \(counters.invalidQueries) invalid)",
        "errors         \(counters.errors)",
        "relay          " + relayed(snapshot.relay),
        "handling       p50 \(snapshot.latency.median.nanoseconds / 1000) us,"
            + " p99 \(snapshot.latency.p99.nanoseconds / 1000) us",
    ]
    guard !snapshot.page.rows.isEmpty else { return lines.joined(separator: "\n") }
    lines += ["", row("UUID", "KIND", "ADDRESS", "AGE", "EXPIRES")]
    lines += snapshot.page.rows.map {
        row("\($0.peer)", $0.kind, $0.address.masked, "\($0.age.wholeSeconds) s", "\($0.expires.wholeSeconds) s")
    }
    let hidden = snapshot.page.matching - snapshot.page.rows.count
    if hidden > 0 { lines.append("and \(hidden) more") }
    return lines.joined(separator: "\n")
}

private func relayed(_ relay: RelayStatistics) -> String {
    guard relay.isOffered else { return "off, \(relay.calls) calls" }
    return "\(relay.channels) of \(relay.capacity) channels (\(relay.displaced) displaced), \(relay.tunnels) tunnels,"
        + " \(relay.bytesPerSecond) B/s, \(relay.datagrams) passed, \(relay.overQuota) over quota,"
        + " \(relay.refused) refused, \(relay.calls) calls"
}

private func row(_ peer: String, _ kind: String, _ address: String, _ age: String, _ expires: String) -> String {
    [(peer, 36), (kind, 4), (address, 21)].map { DisplayText($0).fitted(to: $1).string }.joined(separator: "  ")
        + "  " + [age, expires].map { DisplayText($0).fitted(to: 8, alignRight: true).string }.joined(separator: "  ")
}
