// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Queues

/// How many keyed rows each group of addresses has, by a table of fixed size in which few share a place: one network
/// must not fill what is there for all.
final class PrefixShares: Sendable {
    private static let size = 4096
    private let counts = Lock(Array(repeating: 0, count: size))
    private let secret: UInt64

    /// - Parameter secret: scatters prefixes over the table.
    init(secret: UInt64) { self.secret = secret }

    /// The rows of an address and its neighbours.
    subscript(endpoint: Endpoint) -> Int { counts.withLock { $0[place(endpoint)] } }

    func add(_ endpoint: Endpoint) { counts.withLock { $0[place(endpoint)] += 1 } }

    func remove(_ endpoint: Endpoint) { counts.withLock { $0[place(endpoint)] -= 1 } }

    private func place(_ endpoint: Endpoint) -> Int {
        let key = endpoint.address.prefix.key
        return PeerHash(PeerID(high: key, low: ~key), secret: secret).slot(Self.size - 1)
    }
}
