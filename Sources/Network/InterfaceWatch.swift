// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues
public import Reactor

/// What happened to this machine's place in the network.
public enum NetworkChange: Equatable, Sendable {
    /// The addresses or the default route are others now. Both may also have stayed the same on a new interface.
    case addresses([InterfaceAddress])
    /// The machine slept for so long: no timer ran, and nobody knows what became of the network meanwhile.
    case slept(Span)
}

/// Tells when the machine's addresses or its default route change (rtnetlink(7)), and when it was asleep. Between
/// changes it costs no wake-up; on a system without rtnetlink it says nothing.
public final class InterfaceWatch: Sendable {
    /// Nanoseconds that changes may follow each other before they are told: a new network comes as several.
    private static let settling: UInt64 = 100_000_000
    /// Clocks that are merely set don't differ by so much.
    private static let shortestSleep: UInt64 = 1_000_000_000

    private struct State {
        var place = Place.current
        var asleep: UInt64
    }

    /// What is compared.
    private struct Place: Equatable {
        let addresses: [InterfaceAddress]
        let routes: DefaultRoutes

        static var current: Place {
            let routes = DefaultRoutes.current
            return Place(
                addresses: InterfaceAddress.selected(InterfaceAddress.raw, outside: routes.interfaces), routes: routes)
        }

        static func == (left: Place, right: Place) -> Bool {
            Set(left.addresses) == Set(right.addresses) && left.routes == right.routes
        }
    }

    private let changes = cp_route_socket()
    private let settling = cp_timerfd()
    private let jumps = cp_clock_jumps()
    private let state: Lock<State>
    private let timeAsleep: @Sendable () -> UInt64

    /// Looks at the network of the calling thread.
    public convenience init() { self.init(timeAsleep: cp_time_asleep) }

    /// - Parameter timeAsleep: how long the machine has slept since it was started, in nanoseconds.
    init(timeAsleep: @escaping @Sendable () -> UInt64) {
        self.timeAsleep = timeAsleep
        state = Lock(State(asleep: timeAsleep()))
    }

    deinit {
        for descriptor in [changes, settling, jumps] where descriptor >= 0 { close(descriptor) }
    }

    /// The addresses as they were told last, or at the beginning.
    public var addresses: [InterfaceAddress] { state.withLock { $0.place.addresses } }

    /// Calls `tell` on the loop's thread with each change. From that thread, or before the loop runs.
    public func start(on loop: PollExecutor, _ tell: @escaping (NetworkChange) -> Void) {
        // Whatever happened since the watch was made.
        if changes >= 0, settling >= 0 { look(on: loop, tell) }
        loop.watch(settling) { [self] _ in
            cp_timer_clear(settling)
            cp_route_drain(changes)
            look(on: loop, tell)
        }
        loop.watch(jumps) { [self] _ in
            cp_timer_clear(jumps)
            tellOfSleep(tell)
        }
    }

    /// Stops calling. On the loop's thread.
    public func stop(on loop: PollExecutor) {
        for descriptor in [changes, settling, jumps] where descriptor >= 0 { loop.unwatch(descriptor) }
    }

    /// Tells what is new, and waits for more.
    private func look(on loop: PollExecutor, _ tell: @escaping (NetworkChange) -> Void) {
        tellOfSleep(tell)
        let place = Place.current
        let isNew = state.withLock { state in
            defer { state.place = place }
            return state.place != place
        }
        if isNew { tell(.addresses(place.addresses)) }
        loop.watch(changes) { [self] _ in
            // However many follow, the next look is at its time: nothing is read until then.
            loop.unwatch(changes)
            cp_timerfd_set(settling, PollExecutor.now() &+ InterfaceWatch.settling)
        }
    }

    private func tellOfSleep(_ tell: (NetworkChange) -> Void) {
        let now = timeAsleep()
        let length = state.withLock { state in
            guard now > state.asleep, now - state.asleep > InterfaceWatch.shortestSleep else { return UInt64(0) }
            defer { state.asleep = now }
            return now - state.asleep
        }
        if length > 0 { tell(.slept(Span(nanoseconds: length))) }
    }
}
