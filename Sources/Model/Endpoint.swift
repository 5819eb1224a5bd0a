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
        self.init(ascii: Array(text.utf8.prefix(64)).span)
    }

    /// Reads what `init(_:)` reads, from bytes where they lie.
    public init?(ascii bytes: Swift.Span<UInt8>) {
        guard (1...63).contains(bytes.count) else { return nil }
        var colon = bytes.count - 1
        while colon > 0, bytes[colon] != UInt8(ascii: ":") { colon -= 1 }
        guard colon > 0, let port = Endpoint.port(bytes.extracting((colon + 1)...)) else { return nil }
        if bytes[0] == UInt8(ascii: "["), bytes[colon - 1] == UInt8(ascii: "]"), colon > 2 {
            guard let (high, low) = parseV6(bytes.extracting(1..<colon - 1)) else { return nil }
            self.init(address: .v6(high, low), port: port)
        } else {
            guard let address = parseV4(bytes.extracting(first: colon)) else { return nil }
            self.init(address: .v4(address), port: port)
        }
    }

    /// Reads a bare address, without a port: `127.0.0.1` or `::1`.
    public static func address(_ text: some StringProtocol) -> Address? {
        let bytes = Array(text.utf8.prefix(64))
        if let v4 = parseV4(bytes.span) { return .v4(v4) }
        if let (high, low) = parseV6(bytes.span) { return Endpoint(address: .v6(high, low), port: 0).address }
        return nil
    }

    private static func port(_ digits: Swift.Span<UInt8>) -> UInt16? {
        guard (1...5).contains(digits.count) else { return nil }
        var value: UInt32 = 0
        for index in digits.indices {
            guard let digit = decimalValue(digits[index]) else { return nil }
            value = value * 10 + digit
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

extension Endpoint {
    /// Whether it is on this machine or this network: loopback, link-local, or private (RFC 1918, RFC 4193).
    public var isLocal: Bool {
        switch address {
        case .v4(let bits):
            isLoopback || bits >> 24 == 10 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8 || bits >> 16 == 0xA9FE
        case .v6(let high, _): isLoopback || isLinkLocalV6 || high >> 57 == 0x7E
        }
    }

    /// Whether it is of IPv6, and no IPv4 address in its clothes.
    public var isV6: Bool { if case .v6 = address { true } else { false } }

    /// Whether it means something on one link alone: fe80::/10 takes a zone, which an endpoint has not.
    public var isLinkLocalV6: Bool { if case .v6(let high, _) = address { high >> 54 == 0x3FA } else { false } }

    /// Whether it is in 100::/64, where nothing can be sent to (RFC 6666): by these an index server knows those who
    /// come by a tunnel.
    public var isDiscard: Bool { if case .v6(0x0100_0000_0000_0000, _) = address { true } else { false } }
}

extension Endpoint: CustomStringConvertible {
    /// `a.b.c.d:port`, or `[v6]:port` with the address as RFC 5952 writes it.
    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the bytes of `description`: 47 at most.
    public func append(to out: inout [UInt8]) {
        out.append(addingCapacity: 47) { (text: inout OutputSpan<UInt8>) in
            switch address {
            case .v4(let bits): write(v4: bits, to: &text)
            case .v6(let high, let low):
                text.append(UInt8(ascii: "["))
                write(v6: high, low, to: &text)
                text.append(UInt8(ascii: "]"))
            }
            text.append(UInt8(ascii: ":"))
            writeDecimal(port, to: &text)
        }
    }
}

extension Endpoint.Address: CustomStringConvertible {
    /// Dotted decimal, or RFC 5952's text form without brackets.
    public var description: String {
        let bytes = [UInt8](capacity: 39) { (text: inout OutputSpan<UInt8>) in
            switch self {
            case .v4(let bits): write(v4: bits, to: &text)
            case .v6(let high, let low): write(v6: high, low, to: &text)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private func write(v4 bits: UInt32, to text: inout OutputSpan<UInt8>) {
    var shift: UInt32 = 24
    while shift > 0 {
        writeDecimal(UInt16(bits >> shift & 0xFF), to: &text)
        text.append(UInt8(ascii: "."))
        shift -= 8
    }
    writeDecimal(UInt16(bits & 0xFF), to: &text)
}

private func write(v6 high: UInt64, _ low: UInt64, to text: inout OutputSpan<UInt8>) {
    let zeros = longestZeroRun(high, low)
    var index = 0
    while index < 8 {
        if index == zeros.lowerBound, !zeros.isEmpty {
            text.append(UInt8(ascii: ":"))
            text.append(UInt8(ascii: ":"))
            index = zeros.upperBound
        } else {
            if index > 0, index != zeros.upperBound { text.append(UInt8(ascii: ":")) }
            writeHex(group(index, high, low), to: &text)
            index += 1
        }
    }
}

/// One of the eight groups of an IPv6 address.
private func group(_ index: Int, _ high: UInt64, _ low: UInt64) -> UInt16 {
    UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index & 3)))
}

private func writeHex(_ group: UInt16, to text: inout OutputSpan<UInt8>) {
    var shift = (15 - min(15, group.leadingZeroBitCount)) / 4 * 4
    while shift >= 0 {
        text.append(hexDigit(UInt8(truncatingIfNeeded: group >> UInt16(shift) & 0xF)))
        shift -= 4
    }
}

private func writeDecimal(_ number: UInt16, to text: inout OutputSpan<UInt8>) {
    var unit: UInt16 = number < 10 ? 1 : number < 100 ? 10 : number < 1000 ? 100 : number < 10_000 ? 1000 : 10_000
    while unit > 0 {
        text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / unit % 10))
        unit /= 10
    }
}

/// The first of the longest runs of two or more zero groups (RFC 5952, §4.2); empty when there is none.
private func longestZeroRun(_ high: UInt64, _ low: UInt64) -> Range<Int> {
    var best = 0..<0
    var start = 0
    while start < 8 {
        var end = start
        while end < 8, group(end, high, low) == 0 { end += 1 }
        if end - start > max(1, best.count) { best = start..<end }
        start = max(end, start + 1)
    }
    return best
}

/// The value of an ASCII decimal digit.
private func decimalValue(_ byte: UInt8) -> UInt32? {
    let value = byte &- UInt8(ascii: "0")
    return value < 10 ? UInt32(value) : nil
}

private func parseV4(_ bytes: Swift.Span<UInt8>) -> UInt32? {
    var bits: UInt32 = 0
    var (value, digits, dots): (UInt32, Int, Int) = (0, 0, 0)
    for index in bytes.indices {
        if bytes[index] == UInt8(ascii: ".") {
            guard digits > 0, dots < 3 else { return nil }
            bits = bits << 8 | value
            (value, digits, dots) = (0, 0, dots + 1)
        } else {
            // A leading zero would be octal to some readers (RFC 6943, §3.1.1).
            guard let digit = decimalValue(bytes[index]), digits == 0 || value > 0 else { return nil }
            value = value * 10 + digit
            digits += 1
            guard value <= 255 else { return nil }
        }
    }
    return digits > 0 && dots == 3 ? bits << 8 | value : nil
}

/// RFC 4291, §2.2: eight groups, one `::`, the last two groups possibly as an IPv4 address.
private func parseV6(_ bytes: Swift.Span<UInt8>) -> (UInt64, UInt64)? {
    let colon = UInt8(ascii: ":")
    var groups = Groups()
    var position = 0
    if bytes.count >= 2, bytes[0] == colon, bytes[1] == colon {
        groups.gap = 0
        position = 2
    } else if bytes.isEmpty || bytes[0] == colon {
        return nil
    }
    while position < bytes.count {
        var (end, value, isDotted): (Int, UInt16, Bool) = (position, 0, false)
        while end < bytes.count, bytes[end] != colon {
            if bytes[end] == UInt8(ascii: ".") { isDotted = true }
            end += 1
        }
        if isDotted {
            guard end == bytes.count, let v4 = parseV4(bytes.extracting(position..<end)),
                groups.append(UInt16(truncatingIfNeeded: v4 >> 16)), groups.append(UInt16(truncatingIfNeeded: v4))
            else { return nil }
            break
        }
        guard (1...4).contains(end - position) else { return nil }
        for index in position..<end {
            guard let digit = hexValue(bytes[index]) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        guard groups.append(value) else { return nil }
        guard end < bytes.count else { break }
        position = end + 1
        // A single colon at the end leads nowhere.
        guard position < bytes.count else { return nil }
        if bytes[position] == colon {
            guard groups.gap == nil else { return nil }
            groups.gap = groups.count
            position += 1
        }
    }
    return groups.words
}

/// The groups of an IPv6 address as they are read.
private struct Groups {
    private var bits: UInt128 = 0
    private(set) var count = 0
    /// How many groups come before the `::`.
    var gap: Int?

    /// Takes one more group, the eighth at most.
    mutating func append(_ group: UInt16) -> Bool {
        guard count < 8 else { return false }
        bits = bits << 16 | UInt128(group)
        count += 1
        return true
    }

    /// The address, if the groups make one.
    var words: (UInt64, UInt64)? {
        var whole = bits
        if let gap {
            guard count < 8 else { return nil }
            let tail = 16 * (count - gap)
            whole = (bits >> tail) << (128 - 16 * gap) | bits & ~(.max << tail)
        } else if count != 8 {
            return nil
        }
        return (UInt64(truncatingIfNeeded: whole >> 64), UInt64(truncatingIfNeeded: whole))
    }
}
