// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How long things take.
public struct MappingTimes: Sendable {
    /// What a mapping is asked for; it is renewed at half of what the router gives.
    public var lease = Span.seconds(7200)
    /// Until the router is asked whether it still knows of us, and the longest time between two renewals: a router that
    /// was restarted has forgotten everything.
    public var check = Span.seconds(600)
    /// Shorter leases are taken for one of this length: no router should give less (RFC 6887, §15), and none may make
    /// us ask it without end.
    public var shortest = Span.seconds(120)
    /// Until everything is tried again where nothing gave a port.
    public var retry = Span.seconds(900)
    /// Until a router that gave no answer, or refused, is asked again for a mapping that still holds.
    public var again = Span.seconds(20)
    /// How much longer than the other protocols UPnP waits for its turn: it takes a process and a search.
    public var patience = Span.seconds(1)
    /// What one question by UPnP may take: the search, the description and two answers, each of a slow router.
    public var upnp = Span.seconds(8)
    /// How long an earlier mapping is believed to hold, once the network is another one and nobody has confirmed it.
    public var doubt = Span.seconds(8)

    public init() {}
}

/// What a router said.
enum MappingOutcome: Equatable {
    case mapped(Endpoint, lease: Span?)
    /// Its address, if the protocol tells it, and nothing asked for.
    case known(Endpoint.Address?)
    /// It has lost its memory since we asked last.
    case restarted
    /// Another machine has this port.
    case taken
    case failed(String)
}

/// Decides what to ask of the router and when; does nothing itself.
struct MappingMachine {
    enum Action: Equatable {
        case ask(MappingProtocol, external: UInt16)
        /// Ask whether it is still the same router in the same life.
        case check(MappingProtocol)
        case remove(MappingProtocol, external: UInt16)
        case report(MappingReport)
    }

    private let port: UInt16
    /// In the order in which they are tried.
    private let ways: [MappingProtocol]
    private let times: MappingTimes
    private var report = MappingReport()
    private var told = MappingReport()
    /// Whose answer is due.
    private var asked: Set<MappingProtocol> = []
    /// Nothing was given since `begin`: what there is was given by an earlier network's router, perhaps.
    private var isBeginning = false
    private var upnpAt: Instant?
    private var renewAt: Instant?
    private var checkAt: Instant?
    private var expires: Instant?
    private var retryAt: Instant?
    private var attempts = 0
    private var random: RandomSource

    /// Other ports that are tried when the same number is taken.
    private static let otherPorts = 3

    /// - Parameter ways: what is tried, one after the other; UPnP beside what comes before it.
    init(port: UInt16, ways: [MappingProtocol] = [.pcp, .natPMP, .upnp], times: MappingTimes, random: RandomSource) {
        self.port = port
        self.ways = ways
        self.times = times
        self.random = random
    }

    /// When `tick` is wanted next.
    var deadline: Instant? { [upnpAt, renewAt, checkAt, expires, retryAt].compactMap { $0 }.min() }

    /// At the beginning, and whenever the network is another one.
    mutating func begin(_ now: Instant) -> [Action] {
        // What was given before is doubtful, but may well hold.
        if report.mapped != nil { expires = min(expires ?? .distant, now + times.doubt) }
        (renewAt, checkAt, retryAt, attempts) = (nil, nil, nil, 0)
        report.failures = [:]
        upnpAt = ways.contains(.upnp) ? now + times.patience : nil
        (asked, isBeginning) = ([], true)
        return ways.first.map { ask($0) } ?? []
    }

    mutating func tick(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        if upnpAt.take(now) { actions += ask(.upnp) }
        if renewAt.take(now), let by = report.by { actions += ask(by) }
        if checkAt.take(now), let by = report.by, !asked.contains(by) { actions.append(.check(by)) }
        if expires.take(now) {
            (report.mapped, report.by) = (nil, nil)
            actions += begin(now) + tell()
        }
        if retryAt.take(now) { actions += begin(now) }
        return actions
    }

    mutating func heard(_ outcome: MappingOutcome, from by: MappingProtocol, _ now: Instant) -> [Action] {
        asked.remove(by)
        switch outcome {
        case .mapped(let endpoint, _) where !endpoint.isPublic || endpoint.isV6 != (by == .firewall):
            // Nobody outside can use it.
            let reason = "the router is behind another one: its own address is \(endpoint.address)"
            return [.remove(by, external: endpoint.port)] + failed(reason, by, now)
        case .mapped(let endpoint, let lease): return mapped(endpoint, by, lease, now)
        case .known(let address):
            guard report.by == by, let mapped = report.mapped else { return [] }
            checkAt = now + times.check
            guard let address else { return [] }
            let current = Endpoint(address: address, port: mapped.port)
            guard current != mapped else { return [] }
            guard current.isPublic else { return heard(.mapped(current, lease: nil), from: by, now) }
            report.mapped = current
            return tell()
        case .restarted: return report.by == by ? begin(now) : []
        case .taken:
            attempts += 1
            guard attempts <= MappingMachine.otherPorts else { return failed("it has no port left for us", by, now) }
            return ask(by, external: UInt16(1024 + random.next() % 64_000))
        case .failed(let reason): return failed(reason, by, now)
        }
    }

    /// What is to be taken back at the end.
    var remains: [Action] {
        guard let mapped = report.mapped, let by = report.by else { return [] }
        return [.remove(by, external: mapped.port)]
    }

    private var wanted: UInt16 { report.mapped?.port ?? port }

    private mutating func ask(_ by: MappingProtocol, external: UInt16? = nil) -> [Action] {
        asked.insert(by)
        return [.ask(by, external: external ?? wanted)]
    }

    private mutating func mapped(
        _ endpoint: Endpoint, _ by: MappingProtocol, _ lease: Span?, _ now: Instant
    ) -> [Action] {
        // The faster one was enough; but where both gave the same, it is one entry of the router's table.
        if let other = report.by, other != by, !isBeginning, !report.failures.keys.contains(other) {
            return endpoint == report.mapped ? [] : [.remove(by, external: endpoint.port)]
        }
        isBeginning = false
        // To the others a mapping is its inner port: there is never a second one.
        let leftover = report.by == .upnp && report.mapped?.port != endpoint.port ? report.mapped?.port : nil
        (report.mapped, report.by, upnpAt, retryAt, attempts) = (endpoint, by, nil, nil, 0)
        report.failures[by] = nil
        let length = max(lease ?? times.lease, times.shortest)
        let half = Span(nanoseconds: length.nanoseconds / 2)
        renewAt = now + (by == .upnp ? min(half, times.check) : half)
        expires = lease.map { _ in now + length }
        checkAt = by == .upnp ? nil : now + times.check
        return (leftover.map { [.remove(.upnp, external: $0)] } ?? []) + tell()
    }

    private mutating func failed(_ reason: String, _ by: MappingProtocol, _ now: Instant) -> [Action] {
        report.failures[by] = reason
        if isBeginning, let next = next(after: by) { return ask(next) + tell() }
        if report.by == by {
            // The mapping holds until its lease ends; until then it is asked for again and again.
            renewAt = now + times.again
            guard expires == nil else { return tell() }
            (report.mapped, report.by) = (nil, nil)
        }
        if report.by == nil, asked.isEmpty, upnpAt == nil { retryAt = now + times.retry }
        return tell()
    }

    /// Whose turn it is when this one has nothing to give.
    private mutating func next(after by: MappingProtocol) -> MappingProtocol? {
        guard let index = ways.firstIndex(of: by), let next = ways[(index + 1)...].first else { return nil }
        // It may have been asked beside.
        if next == .upnp, upnpAt == nil { return nil }
        if next == .upnp { upnpAt = nil }
        return next
    }

    private mutating func tell() -> [Action] {
        guard report != told, asked.isEmpty || report.mapped != told.mapped else { return [] }
        told = report
        return [.report(report)]
    }
}

extension Instant {
    fileprivate static let distant = Instant(nanoseconds: .max)
}

extension Instant? {
    /// Whether the moment has come; then it is gone.
    fileprivate mutating func take(_ now: Instant) -> Bool {
        guard let moment = self, moment <= now else { return false }
        self = nil
        return true
    }
}

extension Endpoint {
    /// Whether the Internet can know it: neither private (RFC 1918), of a provider's NAT (RFC 6598), link-local nor
    /// loopback; of IPv6 what is allotted to networks, 2000::/3.
    var isPublic: Bool {
        guard isUnicast, !isLoopback else { return false }
        switch address {
        case .v4(let bits):
            return bits >> 24 != 10 && bits >> 20 != 0xAC1 && bits >> 16 != 0xC0A8 && bits >> 16 != 0xA9FE
                && bits >> 22 != 0x191
        case .v6(let high, _): return high >> 61 == 1
        }
    }
}
