// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model

/// How long the last transactions took.
struct CommitTimes {
    static let limit = 512
    private var times: [Span] = []
    private var next = 0

    mutating func add(_ time: Span) {
        if times.count < Self.limit { times.append(time) } else { times[next] = time }
        next = (next + 1) % Self.limit
    }

    var summary: LatencySummary {
        let sorted = times.sorted()
        guard let last = sorted.last else { return LatencySummary() }
        return LatencySummary(
            count: UInt64(sorted.count), median: sorted[sorted.count / 2],
            p99: sorted.dropFirst(sorted.count * 99 / 100).first ?? last)
    }
}
