// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Queues

/// This machine's addresses to which peers wrote, numbered: they are few, and a row has a byte for one. Its router or
/// firewall lets in only what comes from there.
final class LocalAddresses: Sendable {
    /// One of this machine's addresses.
    struct Place: Hashable, Sendable {
        var address: Endpoint.Address
        /// Tells link-local addresses of several interfaces apart.
        var interface: UInt32
    }

    /// Nothing is known, or there was no number left.
    static let unknown: UInt8 = 0

    private let places = Lock<[Place]>([])

    func number(of address: Endpoint.Address, interface: UInt32) -> UInt8 {
        // Whatever else is sent finds its interface by its address.
        let isLinkLocal = Endpoint(address: address, port: 1).isLinkLocalV6
        let place = Place(address: address, interface: isLinkLocal ? interface : 0)
        return places.withLock { places in
            if let known = places.firstIndex(of: place) { return UInt8(truncatingIfNeeded: known + 1) }
            guard places.count < Int(UInt8.max) else { return Self.unknown }
            places.append(place)
            return UInt8(truncatingIfNeeded: places.count)
        }
    }

    subscript(number: UInt8) -> Place? {
        places.withLock { places in
            let index = Int(number) - 1
            return places.indices.contains(index) ? places[index] : nil
        }
    }
}
