// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// The questions to everybody on this network: three, since multicast is not repeated by anybody.
struct LANSearch: Sendable {
    private var due: [Instant] = []
    private var pending: [CandidateTrial.Pending] = []

    mutating func start(now: Instant) {
        due = [now, now + .milliseconds(300), now + .seconds(1)]
        pending = []
    }

    var next: Instant? { due.first }

    mutating func ping(now: Instant, random: inout RandomSource) -> Ping? {
        guard let next, next <= now else { return nil }
        due.removeFirst()
        let transaction = ProbeTransaction(using: &random)
        pending.append(CandidateTrial.Pending(transaction: transaction, sent: now))
        return Ping(transaction, .lan)
    }

    /// Whether it is one of these questions, asked just now; several may answer it, and whoever hears it may answer in
    /// the name of anybody.
    func awaits(_ transaction: ProbeTransaction, now: Instant) -> Bool {
        pending.contains { $0.transaction == transaction && now.since($0.sent) < LANSearch.patience }
    }

    /// How long an answer may take.
    private static let patience = Span.seconds(5)
}
