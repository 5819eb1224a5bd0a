// SPDX-License-Identifier: GPL-3.0-or-later

/// The address of a peer: a 128-bit UUID (RFC 9562).
///
/// Its version is its security level. Version 8 is a hash of the peer's key, so whoever answers can be held to it;
/// anything else was handed out by an index server and proves nothing.
public struct PeerID: Hashable, Sendable {
    /// The first eight octets in network order.
    public let high: UInt64
    /// The last eight octets in network order.
    public let low: UInt64

    /// Takes the 128 bits as they are; version and variant are not checked.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the canonical form `8-4-4-4-12`, in either case; `nil` for anything else, braces and URNs included.
    public init?(_ text: some StringProtocol) {
        var copy = InlineArray<36, UInt8>(repeating: 0)
        var count = 0
        for byte in text.utf8 {
            guard count < 36 else { return nil }
            copy[count] = byte
            count += 1
        }
        self.init(ascii: copy.span.extracting(first: count))
    }

    /// Reads what `init(_:)` reads, from bytes where they lie.
    public init?(ascii bytes: Swift.Span<UInt8>) {
        let dash = UInt8(ascii: "-")
        guard bytes.count == 36, bytes[8] == dash, bytes[13] == dash, bytes[18] == dash, bytes[23] == dash,
            let first = hexWord(bytes, 0, 4), let second = hexWord(bytes, 9, 14),
            let third = hexWord(bytes, 19, 24), let fourth = hexWord(bytes, 28, 32)
        else { return nil }
        self.init(high: UInt64(first) << 32 | UInt64(second), low: UInt64(third) << 32 | UInt64(fourth))
    }

    /// Builds a UUID from 16 octets in network order; `nil` for any other count.
    public init?(octets: some Collection<UInt8>) {
        guard octets.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, octet) in octets.enumerated() {
            if index < 8 { words.0 = words.0 << 8 | UInt64(octet) } else { words.1 = words.1 << 8 | UInt64(octet) }
        }
        self.init(high: words.0, low: words.1)
    }

    /// The same bits with version and variant written over them (RFC 9562, §4).
    public func stamped(version: UInt8) -> PeerID {
        PeerID(
            high: high & ~0xF000 | UInt64(version & 0xF) << 12,
            low: low & ~(0b11 << 62) | 0b10 << 62
        )
    }

    /// The version nibble: 8 for an identity of ours, 4 for a random one of an index server.
    public var version: UInt8 { UInt8(high >> 12 & 0xF) }

    /// Whether the variant is RFC 9562's.
    public var hasStandardVariant: Bool { low >> 62 == 0b10 }

    /// Whether this ID is the hash of a key.
    public var isKeyed: Bool { version == 8 && hasStandardVariant }

    /// The 16 octets in network order.
    public var octets: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }

    /// The first eight hex digits: what screens show of a peer without a name.
    public var shortDigits: String { String(description.prefix(8)) }
}

extension PeerID: CustomStringConvertible {
    /// The canonical lower-case form.
    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the 36 bytes of `description`.
    public func append(to out: inout [UInt8]) {
        out.append(addingCapacity: 36) { (text: inout OutputSpan<UInt8>) in
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
                let word = index < 16 ? high : low
                text.append(hexDigit(UInt8(truncatingIfNeeded: word >> (60 - 4 * (index % 16)) & 0xF)))
            }
        }
    }
}

extension PeerID: Comparable {
    /// Numerical order of the 128 bits.
    public static func < (left: PeerID, right: PeerID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The value of an ASCII hex digit.
package func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// The lower-case ASCII digit of a value below 16.
package func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + (nibble & 0xF) - 10
}

/// The value of eight hex digits, four from each of two places; all eight at once, since the branches of a loop over
/// random digits would be foretold wrongly half of the time.
private func hexWord(_ bytes: Swift.Span<UInt8>, _ upper: Int, _ lower: Int) -> UInt32? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let digits = UInt64(fourBytes(bytes, at: upper)) << 32 | UInt64(fourBytes(bytes, at: lower))
    // Bit 6 tells a letter; a letter's low half counts from one.
    let letters = digits >> 6 & ones
    var values = digits & (0x0F * ones) + 9 * letters
    // What these values are written as must be what was read, but for the case.
    let written = values + 0x30 * ones + ((values + 6 * ones) >> 4 & ones) * 0x27
    guard values & (0x10 * ones) == 0, written == digits | letters << 5 else { return nil }
    values = (values | values >> 4) & 0x00FF_00FF_00FF_00FF
    values = (values | values >> 8) & 0x0000_FFFF_0000_FFFF
    return UInt32(truncatingIfNeeded: values | values >> 16)
}

/// Four bytes, the first highest. Bounds-checked, for all its name.
private func fourBytes(_ bytes: Swift.Span<UInt8>, at index: Int) -> UInt32 {
    UInt32(bigEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt32.self))
}
