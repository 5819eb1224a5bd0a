// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Traversal
internal import Wire

/// Probes to peers that are about to dial us, so that our router lets theirs in. They need no session, and nothing
/// waits for their answers.
struct Welcomes {
    private struct Welcome {
        let key: ProbeKey
        let reference: UInt64
        /// Of the caller's record.
        let sequence: UInt64
        let endpoints: [Endpoint]
        let start: Instant
        var sent = 0

        var due: Instant { start + Welcomes.schedule[sent] }
    }

    /// At a time; what comes beyond is not done.
    static let capacity = 64
    /// Addresses of one caller.
    static let endpoints = 2
    /// After the welcome began, for each of its addresses.
    static let schedule = [0, 100, 200, 400, 800].map { Span.milliseconds($0) }

    private var welcomes: [Welcome] = []

    /// - Parameter reference: by which the caller knows its dial; one that is being welcomed already is not welcomed
    ///   twice.
    mutating func add(
        _ caller: PeerKey, at endpoints: [Endpoint], reference: UInt64, sequence: UInt64, now: Instant
    ) {
        guard welcomes.count < Welcomes.capacity, !welcomes.contains(where: { $0.reference == reference }) else {
            return
        }
        let usable = Array(endpoints.filter(\.isUnicast).prefix(Welcomes.endpoints))
        guard !usable.isEmpty else { return }
        welcomes.append(
            Welcome(
                key: .dialled(caller.peer), reference: reference, sequence: sequence, endpoints: usable, start: now))
    }

    var deadline: Instant? { welcomes.lazy.map(\.due).min() }

    /// The probes that are due, as far as the budget goes: a server could name anybody as a caller's address.
    mutating func due(now: Instant, budget: inout ProbeBudget, random: inout RandomSource) -> [Datagram] {
        var datagrams: [Datagram] = []
        for index in welcomes.indices {
            while welcomes[index].sent < Welcomes.schedule.count, welcomes[index].due <= now {
                welcomes[index].sent += 1
                let welcome = welcomes[index]
                for endpoint in welcome.endpoints
                where budget.takeWelcome(endpoint, sequence: welcome.sequence, now: now) {
                    let ping = Probe(
                        .ping, reference: welcome.reference, transaction: ProbeTransaction(using: &random))
                    datagrams.append(Datagram(ping.encoded(welcome.key), endpoint))
                }
            }
        }
        welcomes.removeAll { $0.sent == Welcomes.schedule.count }
        return datagrams
    }

    mutating func removeAll() { welcomes = [] }
}

/// Addresses that were lately sent a probe: what comes from elsewhere comes unasked, so its sender could reach us
/// without our router having been opened for it. Bounded: the oldest go.
struct AskedAddresses {
    private static let capacity = 1024
    /// As long as routers keep a way open that is not used (RFC 4787, §4.3).
    private static let lifetime = Span.seconds(120)

    private var moments: [Endpoint.Address: Instant] = [:]
    /// In the order in which they were first asked.
    private var order: [Endpoint.Address] = []
    private var oldest = 0

    mutating func add(_ address: Endpoint.Address, now: Instant) {
        guard moments.updateValue(now, forKey: address) == nil else { return }
        if order.count < AskedAddresses.capacity { return order.append(address) }
        moments[order[oldest]] = nil
        order[oldest] = address
        oldest = (oldest + 1) % AskedAddresses.capacity
    }

    func contains(_ address: Endpoint.Address, now: Instant) -> Bool {
        moments[address].map { now.since($0) < AskedAddresses.lifetime } ?? false
    }
}
