// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
public import Model

/// An address of this machine by which others may reach it: neither loopback nor link-local.
public struct InterfaceAddress: Hashable, Sendable {
    public let address: Endpoint.Address
    /// Bits at its front that it shares with its neighbours.
    public let prefixLength: Int
    /// The kernel's number of the interface.
    let interface: UInt32

    /// Addresses that count at most.
    public static let limit = 16
    /// Addresses looked at, most of them of bridges and containers on some machines.
    static let scanned = 128

    /// Those of interfaces that are up and running, at most `limit`: first those of the interfaces by which packets
    /// leave for the Internet. Of IPv6 addresses in one network, the lasting one alone.
    public static var all: [InterfaceAddress] { selected(raw, outside: DefaultRoutes.current.interfaces) }

    /// Whether an address is in the same network.
    public func isNeighbour(_ other: Endpoint.Address) -> Bool {
        switch (address, other) {
        case (.v4(let own), .v4(let other)): (own ^ other).leadingZeroBitCount >= prefixLength
        case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
            (UInt128(high ^ otherHigh) << 64 | UInt128(low ^ otherLow)).leadingZeroBitCount >= prefixLength
        default: false
        }
    }

    static var raw: [cp_interface] {
        [cp_interface](unsafeUninitializedCapacity: scanned) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            count = max(0, Int(cp_interfaces(base, Int32(scanned))))
        }
    }

    static func selected(_ raw: [cp_interface], outside: Set<UInt32>) -> [InterfaceAddress] {
        let usable = raw.filter { $0.is_loopback == 0 && $0.flags & UInt8(cp_address_unusable) == 0 }
        let lasting = Set(usable.filter { !$0.isTemporary }.map(\.network))
        let kept = usable.filter { !$0.isTemporary || !lasting.contains($0.network) }.map { InterfaceAddress($0) }
        let (first, others) = (
            kept.filter { outside.contains($0.interface) }, kept.filter { !outside.contains($0.interface) }
        )
        return Array((first + others).prefix(limit))
    }

    private init(_ raw: cp_interface) {
        address = raw.family == 4 ? .v4(UInt32(truncatingIfNeeded: raw.low)) : .v6(raw.high, raw.low)
        prefixLength = Int(raw.prefix_length)
        interface = raw.interface
    }
}

extension cp_interface {
    /// What temporary addresses (RFC 8981) share with the lasting one.
    fileprivate struct Network: Hashable {
        let prefix: UInt64
        let interface: UInt32
    }

    fileprivate var network: Network { Network(prefix: high, interface: interface) }
    fileprivate var isTemporary: Bool { family == 6 && flags & UInt8(cp_address_temporary) != 0 }
}

/// The ways to the Internet, one for each family.
public struct DefaultRoutes: Equatable, Sendable {
    /// The router of IPv4, which a port can be asked of; `nil` without one.
    public let router: Endpoint.Address?
    /// The router of IPv6, often by its link-local address; `nil` without one.
    public let router6: Endpoint.Address?
    /// The kernel's number of the interface by which packets of IPv6 leave; 0 without one.
    public let interface6: UInt32
    private let words: [UInt64]
    let interfaces: Set<UInt32>

    /// As they are now.
    public static var current: DefaultRoutes {
        let routes = [Int32(4), 6].map { family in
            var route = cp_route()
            cp_route_outside(family, &route)
            return route
        }
        return DefaultRoutes(routes)
    }

    private init(_ routes: [cp_route]) {
        router = routes.first.flatMap { $0.gateway_low == 0 ? nil : .v4(UInt32(truncatingIfNeeded: $0.gateway_low)) }
        router6 = routes.last.flatMap {
            ($0.gateway_high, $0.gateway_low) == (0, 0) ? nil : .v6($0.gateway_high, $0.gateway_low)
        }
        interface6 = routes.last?.interface ?? 0
        words = routes.flatMap { [$0.gateway_high, $0.gateway_low, UInt64($0.interface)] }
        interfaces = Set(routes.map(\.interface)).subtracting([0])
    }
}
