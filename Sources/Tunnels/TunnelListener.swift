// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Identity
public import Model
public import Network
public import Reactor

/// The server's side of tunnels: accepts connections, and tells them apart by a number. All of it lives on one loop's
/// thread.
public final class TunnelListener: @unchecked Sendable {
    // Sendable: all of it lives on the loop's thread, which `PollExecutor` checks whenever a watch changes.

    /// 63 bits of chance that stand for one connection.
    public typealias Number = UInt64

    /// What came, where from, and by which connection. At least one datagram.
    public var onDatagrams: (Number, Endpoint, [[UInt8]]) -> Void = { _, _, _ in }
    /// A connection is open; the address is where it comes from.
    public var onOpen: (Number, Endpoint) -> Void = { _, _ in }
    /// A connection is over, or never opened; one clause.
    public var onEnd: (Number, _ reason: String) -> Void = { _, _ in }

    /// Where it listens.
    public let local: Endpoint
    /// Connections, those included that are being made.
    public var count: Int { callers.count }
    /// Connections that were not let in.
    public private(set) var refused = 0

    private struct Caller {
        let connection: TunnelConnection
        let source: Endpoint
        let network: Network
    }

    /// An IPv4 /24 or an IPv6 /48.
    private struct Network: Hashable {
        let bits: UInt64
        let isV4: Bool

        init(_ endpoint: Endpoint) {
            switch endpoint.address {
            case .v4(let address): (bits, isV4) = (UInt64(address >> 8), true)
            case .v6(let high, _): (bits, isV4) = (high >> 16, false)
            }
        }
    }

    /// Callers let in before others get their turn.
    private static let callersPerTurn = 64
    /// How often at most it looks whose time is over, in nanoseconds.
    private static let tick: UInt64 = 100_000_000

    private let listening: ListeningSocket
    private let loop: PollExecutor
    private let bell: LoopBell
    private let limits: TunnelLimits
    private let capacity: Int
    private let credentials: TLSCredentials
    private var random: RandomSource
    private var callers: [Number: Caller] = [:]
    private var networks: [Network: Int] = [:]
    /// When it looks next whose time is over; never later than the first deadline.
    private var nextLook = UInt64.max

    /// Listens at an address and port. On the loop's thread, or before it runs.
    /// - Parameters:
    ///   - identity: whose key to prove; without one a new key serves, which nobody can have pinned.
    ///   - loop: the handlers are called on its thread.
    /// - Throws: why not, as one clause.
    public init(
        at place: Endpoint, identity: Identity?, limits: TunnelLimits, loop: PollExecutor,
        random: RandomSource = .system
    ) throws(NetworkError) {
        bell = try LoopBell()
        (listening, local) = try TCP.listen(at: place)
        credentials = TLSCredentials(identity ?? Identity())
        self.limits = limits
        self.loop = loop
        self.random = random
        // What the process may open is for its files too.
        capacity = max(1, min(limits.connections, descriptorLimit() / 4 * 3))
        loop.watch(listening.descriptor) { [weak self] _ in self?.accept() }
        bell.open(on: loop) { [weak self] in self?.closeLate() }
    }

    /// Takes a datagram for a connection; drops it if that one is gone or full. `flush` sends.
    public func send(_ datagram: [UInt8], to number: Number) { callers[number]?.connection.send(datagram) }

    /// Sends what a connection's socket takes; the rest follows by itself.
    public func flush(_ number: Number) { callers[number]?.connection.flush() }

    /// Octets that wait to be sent by a connection.
    func waiting(for number: Number) -> Int { callers[number]?.connection.waiting ?? 0 }

    /// Stops listening and closes all connections, without telling.
    public func close() {
        loop.unwatch(listening.descriptor)
        listening.close()
        bell.close(on: loop)
        callers.values.forEach { $0.connection.close() }
        (callers, networks) = ([:], [:])
    }

    // MARK: Coming and going

    private func accept() {
        for _ in 0..<Self.callersPerTurn {
            guard let descriptor = listening.accept() else { return }
            if !admit(descriptor) {
                refused += 1
                Glibc.close(descriptor)
            }
        }
    }

    private func admit(_ descriptor: Int32) -> Bool {
        guard callers.count < capacity, let source = TCP.remote(of: descriptor) else { return false }
        let network = Network(source)
        let isExempt = source.isLoopback && !limits.limitsLoopback
        guard isExempt || networks[network, default: 0] < limits.perNetwork else { return false }
        let connection = TunnelConnection(accepted: descriptor, credentials, limits, loop)
        let number = newNumber()
        connection.onOpen = { [weak self, unowned connection] in
            self?.look(at: connection.deadline)
            self?.onOpen(number, source)
        }
        connection.onDatagrams = { [weak self] in self?.onDatagrams(number, source, $0) }
        connection.onEnd = { [weak self] in self?.remove(number, $0) }
        callers[number] = Caller(connection: connection, source: source, network: network)
        networks[network, default: 0] += 1
        look(at: connection.deadline)
        return true
    }

    private func newNumber() -> Number {
        var number: Number
        repeat { number = random.next() >> 1 } while callers[number] != nil || number == 0
        return number
    }

    private func remove(_ number: Number, _ reason: String) {
        guard let caller = callers.removeValue(forKey: number) else { return }
        let left = networks[caller.network, default: 1] - 1
        networks[caller.network] = left > 0 ? left : nil
        onEnd(number, reason)
    }

    // MARK: Time

    private func look(at moment: UInt64) {
        guard moment < nextLook else { return }
        nextLook = moment
        bell.set(moment)
    }

    private func closeLate() {
        let now = PollExecutor.now()
        nextLook = .max
        callers.values.filter { $0.connection.deadline <= now }.forEach { $0.connection.expire(now: now) }
        if let first = callers.values.map(\.connection.deadline).min() { look(at: max(first, now &+ Self.tick)) }
    }
}

/// How many descriptors the process may have open.
private func descriptorLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
    return Int(clamping: limit.rlim_cur)
}
