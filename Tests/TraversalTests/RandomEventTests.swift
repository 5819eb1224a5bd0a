// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal
import Wire

/// Anything may happen to a finder, in any order.
@Suite struct `Whatever happens` {
    private struct Chaos {
        var random: RandomSource
        var finder: PathFinder
        var budget = ProbeBudget()
        var now = Instant(nanoseconds: 1)
        var pings: [Ping] = []
        /// What answered, was offered as a relay, or was accepted: where packets may go.
        var permitted: Set<Route> = []
        var own: Set<Endpoint> = []

        init(seed: UInt64) {
            random = .seeded(seed)
            let accepted = Bool.random(using: &random) ? Chaos.route(&random) : nil
            finder = PathFinder(
                own: [], accepted: accepted, limits: PathLimits(), random: .seeded(seed), now: Instant(nanoseconds: 1))
            if let accepted { permitted.insert(accepted) }
        }

        static func route(_ random: inout RandomSource) -> Route {
            let place = Endpoint(
                address: Bool.random(using: &random)
                    ? .v4(0x0800_0000 + .random(in: 0...30, using: &random))
                    : .v6(
                        Bool.random(using: &random) ? 0xFE80_0000_0000_0000 : 0x2001_0DB8_0000_0000,
                        .random(in: 0...9, using: &random)),
                port: .random(in: 0...3, using: &random))
            return Int.random(in: 0..<6, using: &random) == 0
                ? .relayed(by: place, RelayChannel(.random(in: 0...2, using: &random))) : .direct(place)
        }

        mutating func step() {
            let route = Chaos.route(&random)
            switch Int.random(in: 0..<13, using: &random) {
            case 0:
                let origin: RemoteCandidate.Origin =
                    route.isRelayed
                    ? .relayed
                    : [.last, .host, .mapped, .reflexive][
                        Int.random(in: 0..<4, using: &random)]
                finder.offer([RemoteCandidate(route, origin)], sequence: .random(in: 0...3, using: &random), now: now)
                if route.isRelayed { permitted.insert(route) }
            case 1: finder.searchLAN(now: now)
            case 2: finder.punch(at: now + .milliseconds(.random(in: 0...500, using: &random)), now: now)
            case 3 where Int.random(in: 0..<5, using: &random) == 0:
                own = [route.endpoint]
                finder.networkChanged(own: own, now: now)
            case 4: _ = finder.pinged(from: route, now: now)
            case 5, 6: pong(route)
            case 7: finder.heard(from: route, now: now)
            case 8: finder.unreachable(route.endpoint, now: now)
            case 9: finder.awaits(since: Bool.random(using: &random) ? now : nil, now: now)
            case 10: finder.awaits(since: Instant(nanoseconds: now.nanoseconds / 2), now: now)
            default: now = now + .milliseconds(.random(in: 0...3000, using: &random))
            }
        }

        private mutating func pong(_ route: Route) {
            guard let ping = pings.randomElement(using: &random) else { return }
            switch ping.destination {
            case .route(let asked):
                let from = Int.random(in: 0..<8, using: &random) == 0 ? route : asked
                let answer = finder.ponged(
                    ping.transaction, from: from, wasUnasked: Bool.random(using: &random), now: now)
                if answer == .proof { permitted.insert(asked) }
            case .lan:
                finder.ponged(ping.transaction, from: route, wasUnasked: false, now: now)
            }
        }

        /// What must hold at any time; the words say what did not.
        mutating func fault() -> String? {
            let due = finder.duePings(now: now, budget: &budget)
            pings = (pings + due).suffix(64)
            if due.count > 2 * 32 { return "\(due.count) probes at once" }
            for ping in due {
                guard case .route(.direct(let place)) = ping.destination else { continue }
                if !place.isUnicast || own.contains(place) { return "a probe to \(place)" }
            }
            if let deadline = finder.deadline, deadline <= now {
                let again = finder.duePings(now: now, budget: &budget)
                pings += again
                if let deadline = finder.deadline, deadline <= now, again.isEmpty { return "it spins" }
            }
            let routes = finder.routes
            if routes.count > 2 || Set(routes).count != routes.count { return "routes \(routes)" }
            if let stranger = routes.first(where: { !permitted.contains($0) }) { return "packets to \(stranger)" }
            if let report = finder.report, report.route != routes.first { return "\(report) is not \(routes)" }
            if finder.attempts.count > 8 + 2 * 4 + 4 + 4 + 4 + 8 + 1 { return "\(finder.attempts.count) attempts" }
            let used = finder.attempts.count { if case .answered(_, isInUse: true) = $0.state { true } else { false } }
            return used > 1 ? "\(used) in use" : nil
        }
    }

    @Test(arguments: 0..<10) func `it stays sane`(batch: Int) {
        for seed in (batch * 1000)..<(batch * 1000 + 1000) {
            var chaos = Chaos(seed: UInt64(seed))
            for step in 0..<40 {
                chaos.step()
                guard let fault = chaos.fault() else { continue }
                Issue.record("seed \(seed), step \(step): \(fault)")
                return
            }
        }
    }
}
