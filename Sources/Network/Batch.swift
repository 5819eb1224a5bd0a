// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
internal import Model
internal import Wire

/// A C batch with an owner.
final class Batch: @unchecked Sendable {
    // Sendable: whoever holds it, a loop or a lock, lets one thread at it at a time.
    let pointer: OpaquePointer
    private let capacity: Int32

    init(count: Int) {
        guard let pointer = cp_batch_new(Int32(count), WireLimits.receivedDatagram) else {
            preconditionFailure("out of memory")
        }
        self.pointer = pointer
        capacity = Int32(count)
    }

    var isFull: Bool { cp_batch_count(pointer) >= capacity }

    deinit { cp_batch_free(pointer) }

    /// A received datagram; `nil` for one that was longer than any of ours.
    func event(_ index: Int) -> DatagramEvent? {
        let index = Int32(index)
        guard cp_batch_truncated(pointer, index) == 0 else { return nil }
        let length = Int(cp_batch_length(pointer, index))
        let bytes = Array(UnsafeBufferPointer(start: cp_batch_bytes(pointer, index), count: length))
        var source = cp_endpoint()
        cp_batch_source(pointer, index, &source)
        return .received(Datagram(bytes, Endpoint(source)))
    }

    /// Writes what was added until the system refuses one; forgets the rest.
    func flush(to descriptor: Int32) -> (sent: Int, code: Int32) {
        defer { cp_batch_clear(pointer) }
        let count = cp_batch_count(pointer)
        var sent: Int32 = 0
        var attempts = 0
        while sent < count {
            let taken = cp_batch_flush(pointer, descriptor, sent)
            if taken > 0 {
                sent += taken
                attempts = 0
                continue
            }
            let code = errno
            attempts += 1
            // An earlier datagram's ICMP error is reported by the next call, once, and says nothing about this one.
            guard attempts <= 8, code == ECONNREFUSED || code == EHOSTUNREACH || code == EINTR else {
                return (Int(sent), code)
            }
        }
        return (Int(sent), 0)
    }

    /// Writes all that was added, but for what the system refuses: anybody can make it refuse an answer to himself, and
    /// that must cost nobody else his.
    /// - Returns: how many were refused.
    func flushAll(to descriptor: Int32) -> Int {
        defer { cp_batch_clear(pointer) }
        let count = cp_batch_count(pointer)
        var (next, refused): (Int32, Int) = (0, 0)
        while next < count {
            let taken = cp_batch_flush(pointer, descriptor, next)
            if taken > 0 {
                next += taken
            } else if errno == EAGAIN || errno == ENOBUFS {
                // There is no room for the rest either.
                return refused + Int(count - next)
            } else if errno != EINTR {
                next += 1
                refused += 1
            }
        }
        return refused
    }
}

extension Endpoint {
    init(_ raw: cp_endpoint) {
        let address: Address = raw.family == 4 ? .v4(UInt32(truncatingIfNeeded: raw.low)) : .v6(raw.high, raw.low)
        self.init(address: address, port: raw.port)
    }
}

extension cp_endpoint {
    init(_ endpoint: Endpoint) {
        switch endpoint.address {
        case .v4(let bits): self.init(high: 0, low: UInt64(bits), port: endpoint.port, family: 4)
        case .v6(let high, let low): self.init(high: high, low: low, port: endpoint.port, family: 6)
        }
    }
}
