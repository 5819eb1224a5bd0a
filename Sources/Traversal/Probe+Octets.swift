// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

extension Probe {
    /// The 64 octets, with their code.
    public func encoded(_ key: ProbeKey) -> [UInt8] {
        let content = content
        return content + key.code(over: content)
    }

    /// Reads what the holder of `key` wrote; `nil` for anything else. Total, and takes the same time whichever octet of
    /// the code is wrong.
    public init?(_ bytes: [UInt8], key: ProbeKey) {
        guard let probe = Probe(unverified: bytes) else { return nil }
        // One comparison asks for the right code and for the one way in which a probe can be written.
        let expected = probe.encoded(key)
        guard zip(expected, bytes).reduce(0, { $0 | ($1.0 ^ $1.1) }) == 0 else { return nil }
        self = probe
    }

    /// What octets claim to be, before there is a key to check them with; `nil` for what can't be a probe.
    public static func peek(
        _ bytes: [UInt8]
    ) -> (kind: Kind, reference: UInt64, transaction: ProbeTransaction)? {
        Probe(unverified: bytes).map { ($0.kind, $0.reference, $0.transaction) }
    }

    private static let unaskedFlag: UInt8 = 0x80

    /// Everything before the code.
    private var content: [UInt8] {
        var out: [UInt8] = [DatagramTag.probe, kind.rawValue]
        if kind == .pong, wasUnasked { out[1] |= Probe.unaskedFlag }
        append(reference, 8, to: &out)
        append(transaction.high, 8, to: &out)
        append(UInt64(transaction.low), 4, to: &out)
        switch kind == .pong ? observed?.address : nil {
        case nil: out.append(contentsOf: repeatElement(0, count: 17))
        case .v4(let bits)?:
            out.append(4)
            append(UInt64(bits), 4, to: &out)
            out.append(contentsOf: repeatElement(0, count: 12))
        case .v6(let high, let low)?:
            out.append(6)
            append(high, 8, to: &out)
            append(low, 8, to: &out)
        }
        append(kind == .pong ? UInt64(observed?.port ?? 0) : 0, 2, to: &out)
        out.append(contentsOf: repeatElement(0, count: Probe.size - ProbeKey.codeSize - out.count))
        return out
    }

    private init?(unverified bytes: [UInt8]) {
        guard bytes.count == Probe.size, bytes[0] == DatagramTag.probe,
            let kind = Kind(rawValue: bytes[1] & ~Probe.unaskedFlag)
        else { return nil }
        let transaction = ProbeTransaction(
            high: number(bytes[10..<18]), low: UInt32(truncatingIfNeeded: number(bytes[18..<22])))
        self.init(kind, reference: number(bytes[2..<10]), transaction: transaction)
        wasUnasked = bytes[1] & Probe.unaskedFlag != 0
        let address: Endpoint.Address
        switch bytes[22] {
        case 0: return
        case 4: address = .v4(UInt32(truncatingIfNeeded: number(bytes[23..<27])))
        case 6: address = .v6(number(bytes[23..<31]), number(bytes[31..<39]))
        default: return nil
        }
        let endpoint = Endpoint(address: address, port: UInt16(truncatingIfNeeded: number(bytes[39..<41])))
        guard endpoint.isUnicast else { return nil }
        observed = endpoint
    }
}

private func append(_ number: UInt64, _ count: Int, to out: inout [UInt8]) {
    for shift in stride(from: 8 * (count - 1), through: 0, by: -8) {
        out.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
    }
}

private func number(_ octets: ArraySlice<UInt8>) -> UInt64 { octets.reduce(0) { $0 << 8 | UInt64($1) } }
