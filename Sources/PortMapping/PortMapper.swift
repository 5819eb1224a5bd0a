// SPDX-License-Identifier: GPL-3.0-or-later
internal import CMiniUPnPc
internal import CNatPMP  // its header brings timespec along
internal import Glibc
public import Model
internal import Queues

/// Keeps a UDP port of the router open for this program, by NAT-PMP or UPnP, whichever the router has.
///
/// Everything happens on one thread of its own, which sleeps while there is nothing to do.
public final class PortMapper: Sendable {
    /// How long `stop` waits for the router to take the mapping back.
    private static let farewell = Span.milliseconds(900)

    private enum Command { case networkChanged, stop }

    private let port: UInt16
    private let router: @Sendable () -> Endpoint.Address?
    private let times: MappingTimes
    private let tell: @Sendable (MappingReport) -> Void
    private let commands = Lock<[Command]>([])
    private let wake = Wake()
    private let hasEnded = Wake()
    private let hasStarted = Lock(false)

    /// Does nothing before `start`.
    /// - Parameters:
    ///   - port: the local UDP port, and the one that is asked for.
    ///   - router: the default route's; `nil` without one.
    ///   - tell: hears of each change, on the mapper's thread.
    public init(
        port: UInt16, router: @escaping @Sendable () -> Endpoint.Address?, times: MappingTimes = MappingTimes(),
        tell: @escaping @Sendable (MappingReport) -> Void
    ) {
        (self.port, self.router, self.times, self.tell) = (port, router, times, tell)
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

    private func run() {
        var machine = MappingMachine(port: port, times: times, random: .system)
        let desk = MappingDesk(port: port, lease: UInt32(clamping: times.lease.wholeSeconds), router: router)
        perform(machine.begin(now()), desk)
        while true {
            let outcomes = desk.wait(wake, until: machine.deadline)
            for command in commands.withLock({ commands in
                defer { commands = [] }
                return commands
            }) {
                guard command == .networkChanged else { return end(machine, desk) }
                desk.forget()
                perform(machine.begin(now()), desk)
            }
            for (by, outcome) in outcomes { perform(machine.heard(outcome, from: by, now()), desk) }
            perform(machine.tick(now()), desk)
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

    private func end(_ machine: MappingMachine, _ desk: MappingDesk) {
        let limit = now() + PortMapper.farewell
        desk.drop()
        perform(machine.remains, desk)
        while desk.isBusy, now() < limit { _ = desk.wait(nil, until: limit) }
        hasEnded.signal()
    }
}

extension PortMapper {
    /// What the router says to each protocol when it is asked for its address: nothing is mapped. Blocks for `limit` at most.
    /// - Returns: the address, or why there is none: one clause.
    public static func survey(
        router: @escaping @Sendable () -> Endpoint.Address?, limit: Span
    ) -> [MappingProtocol: MappingSurvey] {
        let end = now() + limit
        let desk = MappingDesk(port: 1, lease: 0, router: router)
        var found: [MappingProtocol: MappingSurvey] = [.natPMP: .silent("no answer"), .upnp: .silent("no answer")]
        for by in [MappingProtocol.natPMP, .upnp] { desk.ask(by, .look) }
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
    /// It would map ports, and this is its own address outside.
    case answers(Endpoint.Address)
    case silent(String)
}

/// CLOCK_MONOTONIC.
func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
}

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
