// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues
public import Reactor
public import Wire

/// Where peers on one network look for each other: an IPv4 multicast group, joined on every interface. It is only
/// listened to here; what is sent to it leaves from the one UDP port (``DatagramPort/sendToGroup(_:)``), so that
/// whoever hears it knows where to answer.
public final class LanPort: Sendable {
    /// An address for use within a site (RFC 2365, §6.2), and a port of the dynamic range.
    public static let group = Endpoint(address: .v4(groupBits), port: 50_077)
    static let groupBits: UInt32 = 0xEFFF_4D4D

    /// A few hundred datagrams: whoever looks for a peer asks again.
    private static let bufferSize: Int32 = 128 << 10
    private static let batchSize = 32

    private let descriptor: Int32
    private let joined = Lock<Set<UInt32>>([])

    /// Opens it and joins the group; several programs on a machine may.
    public init() throws(NetworkError) {
        descriptor = cp_group_open(LanPort.groupBits, LanPort.group.port, LanPort.bufferSize)
        guard descriptor >= 0 else {
            let code = errno
            throw NetworkError("Peers on this network can't be heard: \(systemReason(code)).", code: code)
        }
        join()
    }

    deinit { close(descriptor) }

    /// Joins the group on the interfaces that there are now: after each change of them.
    /// - Returns: whether there is one.
    @discardableResult
    public func join() -> Bool {
        let current = Set(LanInterface.current.map(\.number))
        return joined.withLock { joined in
            // Also of interfaces that are gone: the system counts them, up to a limit.
            for gone in joined.subtracting(current) { _ = cp_group_leave(descriptor, LanPort.groupBits, gone) }
            joined = current.filter { cp_group_join(descriptor, LanPort.groupBits, $0) == 0 }
            return !joined.isEmpty
        }
    }

    /// Calls `handler` on the loop's thread with what arrives, in batches; so many at most before others get their
    /// turn.
    public func receive(on loop: PollExecutor, _ handler: @escaping ([Datagram]) -> Void) {
        let batch = Batch(count: LanPort.batchSize)
        loop.watch(descriptor) { [descriptor] _ in
            let count = cp_batch_receive(batch.pointer, descriptor)
            guard count > 0 else { return }
            let datagrams = (0..<Int(count)).compactMap { index -> Datagram? in
                guard case .received(let datagram)? = batch.event(index), datagram.endpoint.isUnicast else {
                    return nil
                }
                return datagram
            }
            if !datagrams.isEmpty { handler(datagrams) }
        }
    }

    /// Stops calling the handler. On the loop's thread.
    public func stop(on loop: PollExecutor) { loop.unwatch(descriptor) }
}

extension DatagramPort {
    /// Sends a datagram to the group of ``LanPort`` on every interface, from this port, no further than the network
    /// itself. Without waiting: what the system doesn't take is lost.
    /// - Returns: on how many interfaces it was sent.
    @discardableResult
    public func sendToGroup(_ bytes: [UInt8]) -> Int {
        LanInterface.current.count { interface in
            guard let source = local.isUnspecified ? interface.addresses.first : interface.addresses.first(where: isOwn)
            else { return false }
            return cp_group_send(
                descriptor, LanPort.groupBits, LanPort.group.port, interface.number, source, bytes, bytes.count) == 0
        }
    }

    private func isOwn(_ address: UInt32) -> Bool { local.address == .v4(address) }
}

/// An interface on which the group can be used.
private struct LanInterface {
    let number: UInt32
    /// Its IPv4 addresses.
    var addresses: [UInt32]

    private static let limit = 16

    /// Those with multicast and an IPv4 address. The loopback, where there is no other: two programs on a machine
    /// without a network find each other too.
    static var current: [LanInterface] {
        let all = InterfaceAddress.raw.filter { $0.family == 4 }
        let outer = all.filter { $0.is_multicast != 0 && $0.is_loopback == 0 }
        var interfaces: [LanInterface] = []
        for entry in outer.isEmpty ? all.filter({ $0.is_loopback != 0 }) : outer {
            let address = UInt32(truncatingIfNeeded: entry.low)
            if let index = interfaces.firstIndex(where: { $0.number == entry.interface }) {
                interfaces[index].addresses.append(address)
            } else if interfaces.count < limit {
                interfaces.append(LanInterface(number: entry.interface, addresses: [address]))
            }
        }
        return interfaces
    }
}
