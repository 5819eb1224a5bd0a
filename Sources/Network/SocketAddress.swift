// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix  // its header brings in_addr along
internal import Glibc
public import Model

/// The system's form of an endpoint.
public struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    /// - Parameter zone: the interface's number, for a link-local address.
    public init(_ endpoint: Endpoint, zone: UInt32 = 0) {
        switch endpoint.address {
        case .v4(let bits):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            address.sin_addr.s_addr = bits.bigEndian
            store(address)
        case .v6(let high, let low):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            address.sin6_scope_id = endpoint.isLinkLocalV6 ? zone : 0
            withUnsafeMutableBytes(of: &address.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            store(address)
        }
    }

    /// Where a socket is bound; `nil` if that is no place of IPv4 or IPv6.
    public init?(localOf descriptor: Int32) {
        let code = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard code == 0, [AF_INET, AF_INET6].contains(Int32(storage.ss_family)) else { return nil }
    }

    /// A copy of the system's; `nil` if it is neither of IPv4 nor of IPv6.
    init?(_ raw: UnsafePointer<sockaddr>) {
        switch Int32(raw.pointee.sa_family) {
        case AF_INET: store(UnsafeRawPointer(raw).load(as: sockaddr_in.self))
        case AF_INET6: store(UnsafeRawPointer(raw).load(as: sockaddr_in6.self))
        default: return nil
        }
    }

    public var endpoint: Endpoint {
        withUnsafeBytes(of: storage) { bytes in
            if Int32(storage.ss_family) == AF_INET {
                let address = bytes.load(as: sockaddr_in.self)
                return Endpoint(
                    address: .v4(UInt32(bigEndian: address.sin_addr.s_addr)), port: UInt16(bigEndian: address.sin_port))
            }
            let address = bytes.load(as: sockaddr_in6.self)
            let (high, low) = withUnsafeBytes(of: address.sin6_addr) {
                ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            return Endpoint(
                address: .v6(UInt64(bigEndian: high), UInt64(bigEndian: low)),
                port: UInt16(bigEndian: address.sin6_port))
        }
    }

    /// connect(2): whether it succeeded, else `errno` tells why.
    public func connect(_ descriptor: Int32) -> Bool { with { Glibc.connect(descriptor, $0, length) } == 0 }

    /// bind(2): whether it succeeded, else `errno` tells why.
    public func bind(_ descriptor: Int32) -> Bool { with { Glibc.bind(descriptor, $0, length) } == 0 }

    private func with(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }

    private mutating func store<Value>(_ value: Value) {
        length = socklen_t(MemoryLayout<Value>.size)
        withUnsafeBytes(of: value) { bytes in withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) } }
    }
}
