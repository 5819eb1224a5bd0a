// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Reads octets in network order; more than eight would push the first ones out.
func bigEndian(_ octets: some Sequence<UInt8>) -> UInt64 {
    octets.reduce(0) { $0 << 8 | UInt64($1) }
}

/// A number's low octets in network order.
func bigEndianOctets(_ value: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
}

/// The octets of hex digits; `nil` for another character or an odd count.
func hexOctets(_ text: some StringProtocol) -> [UInt8]? {
    let values = text.utf8.compactMap(hexValue)
    guard values.count == text.utf8.count, values.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}

/// The octets of lower-case hex digits: one text for one value.
func lowerHexOctets(_ text: some StringProtocol) -> [UInt8]? {
    hexOctets(text).flatMap { $0.hex == text ? $0 : nil }
}

/// Takes octets from the front and says when there are too few.
struct OctetReader {
    private let octets: [UInt8]
    private var position = 0

    init(_ octets: [UInt8]) { self.octets = octets }

    var isAtEnd: Bool { position == octets.count }
    var consumed: [UInt8] { Array(octets[..<position]) }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= octets.count - position else { return nil }
        defer { position += count }
        return octets[position..<(position + count)]
    }

    mutating func octet() -> UInt8? { take(1)?.first }
    mutating func number(_ count: Int) -> UInt64? { take(count).map { bigEndian($0) } }
}
