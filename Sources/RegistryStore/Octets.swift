// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

extension [UInt8] {
    mutating func append(word: UInt64) {
        Swift.withUnsafeBytes(of: word.bigEndian) { append(contentsOf: $0) }
    }

    /// 18 octets: IPv6, or IPv4 mapped into it (RFC 4291, §2.5.5.2), and the port.
    mutating func append(_ endpoint: Endpoint) {
        switch endpoint.address {
        case .v4(let bits):
            append(word: 0)
            append(word: 0xFFFF << 32 | UInt64(bits))
        case .v6(let high, let low):
            append(word: high)
            append(word: low)
        }
        append(UInt8(truncatingIfNeeded: endpoint.port >> 8))
        append(UInt8(truncatingIfNeeded: endpoint.port))
    }
}

/// Reads numbers one after the other; `nil` beyond the end.
struct OctetReader {
    private let octets: [UInt8]
    private var position = 0

    init(_ octets: [UInt8]) { self.octets = octets }

    var isAtEnd: Bool { position == octets.count }

    mutating func word() -> UInt64? { number(of: 8) }

    mutating func endpoint() -> Endpoint? {
        guard let high = word(), let low = word(), let port = number(of: 2) else { return nil }
        return Endpoint(address: .v6(high, low), port: UInt16(truncatingIfNeeded: port))
    }

    private mutating func number(of count: Int) -> UInt64? {
        guard octets.count - position >= count else { return nil }
        var number: UInt64 = 0
        for _ in 0..<count {
            number = number << 8 | UInt64(octets[position])
            position += 1
        }
        return number
    }
}
