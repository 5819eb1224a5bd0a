// SPDX-License-Identifier: GPL-3.0-or-later

/// An IP address and a UDP or TCP port.
///
/// IPv4-mapped IPv6 addresses (RFC 4291, §2.5.5.2) become IPv4 when built, so one socket for both families never sees
/// two names of one peer.
public struct Endpoint: Hashable, Sendable {
    /// An IP address by its octets in network order.
    public enum Address: Hashable, Sendable {
        /// 32 bits, the first octet highest.
        case v4(UInt32)
        /// 128 bits in two halves, the first octet highest.
        case v6(UInt64, UInt64)
    }

    /// Where.
    public let address: Address
    /// 0 to 65535; 0 never comes from a wire.
    public let port: UInt16

    /// Unmaps IPv4-mapped addresses.
    public init(address: Address, port: UInt16) {
        if case .v6(0, let low) = address, low >> 32 == 0xFFFF {
            self.address = .v4(UInt32(truncatingIfNeeded: low))
        } else {
            self.address = address
        }
        self.port = port
    }

    /// 127.0.0.1 at a port.
    public static func loopback(_ port: UInt16) -> Endpoint { Endpoint(address: .v4(0x7F00_0001), port: port) }

    /// Reads `a.b.c.d:port` or `[v6]:port`; zones and names are refused.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(64))
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), let port = Endpoint.port(bytes[(colon + 1)...]) else {
            return nil
        }
        let host = bytes[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count > 2 {
            guard let (high, low) = parseV6(host.dropFirst().dropLast()) else { return nil }
            self.init(address: .v6(high, low), port: port)
        } else {
            guard let address = parseV4(host) else { return nil }
            self.init(address: .v4(address), port: port)
        }
    }

    /// Reads a bare address, without a port: `127.0.0.1` or `::1`.
    public static func address(_ text: some StringProtocol) -> Address? {
        let bytes = Array(text.utf8.prefix(64))[...]
        if let v4 = parseV4(bytes) { return .v4(v4) }
        if let (high, low) = parseV6(bytes) { return Endpoint(address: .v6(high, low), port: 0).address }
        return nil
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard !digits.isEmpty, digits.count <= 5 else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
        }
        return UInt16(exactly: value)
    }

    /// Whether packets may be sent there: a real port, and neither unspecified, broadcast nor multicast.
    public var isUnicast: Bool {
        guard port != 0 else { return false }
        switch address {
        case .v4(let bits): return bits >> 24 != 0 && bits < 0xE000_0000
        case .v6(let high, let low): return high >> 56 != 0xFF && (high, low) != (0, 0)
        }
    }

    /// Whether it is the wildcard address.
    public var isUnspecified: Bool {
        switch address {
        case .v4(let bits): bits == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }

    /// Whether it leads back to this machine.
    public var isLoopback: Bool {
        switch address {
        case .v4(let bits): bits >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }
}

extension Endpoint: CustomStringConvertible {
    /// `a.b.c.d:port`, or `[v6]:port` with the address as RFC 5952 writes it.
    public var description: String {
        switch address {
        case .v4: "\(address):\(port)"
        case .v6: "[\(address)]:\(port)"
        }
    }
}

extension Endpoint.Address: CustomStringConvertible {
    /// Dotted decimal, or RFC 5952's text form without brackets.
    public var description: String {
        switch self {
        case .v4(let bits):
            return "\(bits >> 24).\(bits >> 16 & 0xFF).\(bits >> 8 & 0xFF).\(bits & 0xFF)"
        case .v6(let high, let low):
            let groups = [high, low].flatMap { word in
                (0..<4).map { UInt16(truncatingIfNeeded: word >> (48 - 16 * $0)) }
            }
            guard let zeros = longestZeroRun(groups) else { return hexGroups(groups[...]) }
            return hexGroups(groups[..<zeros.lowerBound]) + "::" + hexGroups(groups[zeros.upperBound...])
        }
    }
}

private func hexGroups(_ groups: ArraySlice<UInt16>) -> String {
    groups.map { String($0, radix: 16) }.joined(separator: ":")
}

/// The first of the longest runs of two or more zero groups (RFC 5952, §4.2).
private func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
    var best: Range<Int>?
    var start = 0
    while start < groups.count {
        var end = start
        while end < groups.count, groups[end] == 0 { end += 1 }
        if end - start > max(1, best?.count ?? 0) { best = start..<end }
        start = max(end, start + 1)
    }
    return best
}

private func parseV4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
        // A leading zero would be octal to some readers (RFC 6943, §3.1.1).
        guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
        var value: UInt32 = 0
        for digit in part {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
        }
        guard value <= 255 else { return nil }
        bits = bits << 8 | value
    }
    return bits
}

/// RFC 4291, §2.2: eight groups, one `::`, the last two groups possibly as an IPv4 address.
private func parseV6(_ bytes: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
    let colon = UInt8(ascii: ":")
    var groups: [UInt16] = []
    var gap: Int?
    var rest = bytes
    if rest.starts(with: [colon, colon]) {
        gap = 0
        rest = rest.dropFirst(2)
    } else if rest.first == colon || rest.isEmpty {
        return nil
    }
    while !rest.isEmpty {
        let part = rest.prefix { $0 != colon }
        if part.contains(UInt8(ascii: ".")) {
            guard part.endIndex == rest.endIndex, let v4 = parseV4(part) else { return nil }
            groups += [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            break
        }
        guard (1...4).contains(part.count) else { return nil }
        var value: UInt16 = 0
        for byte in part {
            guard let digit = hexValue(byte) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        groups.append(value)
        guard groups.count <= 8 else { return nil }
        rest = rest[part.endIndex...]
        guard !rest.isEmpty else { break }
        rest = rest.dropFirst()
        if rest.first == colon {
            guard gap == nil else { return nil }
            gap = groups.count
            rest = rest.dropFirst()
        } else if rest.isEmpty {
            return nil
        }
    }
    if let gap {
        guard groups.count <= 7 else { return nil }
        groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let words = groups.map(UInt64.init)
    return (
        words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3],
        words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7]
    )
}
