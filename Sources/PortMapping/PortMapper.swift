// SPDX-License-Identifier: GPL-3.0-or-later
internal import CMiniUPnPc
internal import Glibc
public import Model
internal import Network
internal import Queues

/// Keeps a UDP port of the router open for this program, by PCP, NAT-PMP or UPnP, whichever the router has; and the
/// firewall of the router of IPv6, by PCP.
///
/// Everything happens on one thread of its own, which sleeps while there is nothing to do.
public final class PortMapper: Sendable {
    /// How long `stop` waits for the router to take the mapping back.
    private static let farewell = Span.milliseconds(900)

    private enum Command { case networkChanged, stop }

    private let port: UInt16
    private let routers: @Sendable () -> Routers
    private let secret: MappingSecret
    private let times: MappingTimes
    private let tell: @Sendable (MappingReport) -> Void
    private let commands = Lock<[Command]>([])
    private let wake = Wake()
    private let hasEnded = Wake()
    private let hasStarted = Lock(false)

    /// Does nothing before `start`.
    /// - Parameters:
    ///   - port: the local UDP port, and the one that is asked for.
    ///   - routers: as they are now.
    ///   - secret: by which a router knows whose mapping it is.
    ///   - tell: hears of each change, on the mapper's thread.
    public init(
        port: UInt16, routers: @escaping @Sendable () -> Routers, secret: @escaping MappingSecret,
        times: MappingTimes = MappingTimes(), tell: @escaping @Sendable (MappingReport) -> Void
    ) {
        (self.port, self.routers, self.secret) = (port, routers, secret)
        (self.times, self.tell) = (times, tell)
    }

    /// Starts asking. Once.
    public func start() {
        guard
            hasStarted.withLock({ started in
                defer { started = true }
                return !started
            })
        else { return }
        onThread { [self] in run() }
    }

    /// Asks anew: the addresses or the default route are others now.
    public func networkChanged() { give(.networkChanged) }

    /// Takes the mapping back and ends. Waits a second for the router at most; nothing is told any more.
    public func stop() {
        guard hasStarted.withLock({ $0 }) else { return }
        give(.stop)
        hasEnded.wait(until: now() + .seconds(1))
    }

    private func give(_ command: Command) {
        commands.withLock { if $0.last != command { $0.append(command) } }
        wake.signal()
    }

    // MARK: The thread

    /// What is wanted of either router.
    private struct Machines {
        var mapping: MappingMachine
        var firewall: MappingMachine

        var deadline: Instant? { [mapping.deadline, firewall.deadline].compactMap { $0 }.min() }
        var remains: [MappingMachine.Action] { mapping.remains + firewall.remains }

        mutating func begin(_ now: Instant) -> [MappingMachine.Action] {
            mapping.begin(now) + quietly(firewall.begin(now))
        }

        mutating func tick(_ now: Instant) -> [MappingMachine.Action] {
            mapping.tick(now) + quietly(firewall.tick(now))
        }

        mutating func heard(
            _ outcome: MappingOutcome, from by: MappingProtocol, _ now: Instant
        ) -> [MappingMachine.Action] {
            by == .firewall ? quietly(firewall.heard(outcome, from: by, now)) : mapping.heard(outcome, from: by, now)
        }

        /// An open firewall is news for nobody: the address that it leads to is known without it.
        private func quietly(_ actions: [MappingMachine.Action]) -> [MappingMachine.Action] {
            actions.filter { if case .report = $0 { false } else { true } }
        }
    }

    private func run() {
        var machines = Machines(
            mapping: MappingMachine(port: port, times: times, random: .system),
            firewall: MappingMachine(port: port, ways: [.firewall], times: times, random: .system))
        let desk = MappingDesk(port: port, times: times, routers: routers, secret: secret)
        perform(machines.begin(now()), desk)
        while true {
            let outcomes = desk.wait(wake, until: machines.deadline)
            let pending = commands.withLock { commands in
                defer { commands = [] }
                return commands
            }
            for command in pending {
                guard command == .networkChanged else { return end(machines, desk) }
                desk.forget()
                perform(machines.begin(now()), desk)
            }
            for (by, outcome) in outcomes { perform(machines.heard(outcome, from: by, now()), desk) }
            perform(machines.tick(now()), desk)
        }
    }

    private func perform(_ actions: [MappingMachine.Action], _ desk: MappingDesk) {
        for action in actions {
            switch action {
            case .ask(let by, let external): desk.ask(by, .map(external))
            case .check(let by): desk.ask(by, .look)
            case .remove(let by, let external): desk.ask(by, .remove(external))
            case .report(let report): tell(report)
            }
        }
    }

    private func end(_ machines: Machines, _ desk: MappingDesk) {
        let limit = now() + PortMapper.farewell
        desk.drop()
        perform(machines.remains, desk)
        while desk.isBusy, now() < limit { _ = desk.wait(nil, until: limit) }
        hasEnded.signal()
    }
}

extension PortMapper {
    /// What the routers say to each protocol when they are asked whether they are there: nothing is mapped. Blocks for
    /// `limit` at most.
    /// - Returns: for each protocol the address, or why there is none: one clause. Nothing of a firewall where IPv6 has
    ///   no router.
    public static func survey(
        routers: @escaping @Sendable () -> Routers, limit: Span
    ) -> [MappingProtocol: MappingSurvey] {
        let end = now() + limit
        // Nothing is mapped, so there is nothing to be known by.
        let desk = MappingDesk(port: 1, times: MappingTimes(), routers: routers, secret: { _ in [] })
        let asked = MappingProtocol.allCases.filter { $0 != .firewall || routers().v6 != nil }
        var found = Dictionary(uniqueKeysWithValues: asked.map { ($0, MappingSurvey.silent("no answer")) })
        for by in asked { desk.ask(by, .look) }
        while desk.isBusy, now() < end {
            for (by, outcome) in desk.wait(nil, until: end) {
                switch outcome {
                case .known(let address): found[by] = .answers(address)
                case .failed(let reason): found[by] = .silent(reason)
                case .mapped, .taken, .restarted: break
                }
            }
        }
        desk.drop()
        return found
    }
}

/// What a router said to one protocol.
public enum MappingSurvey: Equatable, Sendable {
    /// It would map ports, and this is its own address outside, if the protocol tells it.
    case answers(Endpoint.Address?)
    case silent(String)
}

/// CLOCK_MONOTONIC.
func now() -> Instant { Clocks.system.monotonic() }

/// Runs `body` on a detached thread.
private func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Context: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(Context(body))
    let code = pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<Context>.fromOpaque(context).takeRetainedValue().body() }
            return nil
        }, context.toOpaque())
    if code == 0 { pthread_detach(thread) } else { context.release() }
}
