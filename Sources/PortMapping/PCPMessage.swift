// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// The Port Control Protocol (RFC 6887): its numbers. Of its operations two are used, for UDP alone, without options.
enum PCP {
    static let port: UInt16 = 5351
    static let version: UInt8 = 2
    /// Octets of the header, of the longest message, and of a mapping behind the header (§7, §11.1).
    static let header = 24
    static let longest = 1100
    static let mapping = 36
    fileprivate static let udp: UInt8 = 17
    fileprivate static let answerBit: UInt8 = 0x80
    fileprivate static let announce: UInt8 = 0
    fileprivate static let map: UInt8 = 1

    /// 96 bits that nobody guesses: by them a router knows whose mapping it is (§11.2). For all of a mapping's life.
    struct Nonce: Equatable {
        let high: UInt32
        let low: UInt64

        init(high: UInt32, low: UInt64) { (self.high, self.low) = (high, low) }

        /// The first 12 octets.
        init(_ octets: [UInt8]) {
            high = octets.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            low = octets.dropFirst(4).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    /// What leads to a port of ours; in a request, what is wished.
    struct Mapping: Equatable {
        var nonce: Nonce
        var port: UInt16
        /// A port of 0 and an unspecified address wish nothing.
        var external: Endpoint
    }

    enum Operation: Equatable {
        case announce
        case map(Mapping)
    }
}

/// What is asked of a router.
struct PCPRequest: Equatable {
    var operation: PCP.Operation
    /// Seconds; 0 to end a mapping (§15).
    var lifetime: UInt32 = 0
    /// The very address that the request leaves from: by it the router sees whether another one is between (§8.1).
    var client: Endpoint.Address

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(PCP.header + PCP.mapping)
        bytes.append(PCP.version)
        switch operation {
        case .announce: bytes.append(PCP.announce)
        case .map: bytes.append(PCP.map)
        }
        bytes.append(big: UInt16(0))
        bytes.append(big: lifetime)
        bytes.append(client)
        if case .map(let mapping) = operation {
            bytes.append(big: mapping.nonce.high)
            bytes.append(big: mapping.nonce.low)
            bytes += [PCP.udp, 0, 0, 0]
            bytes.append(big: mapping.port)
            bytes.append(big: mapping.external.port)
            bytes.append(mapping.external.address)
        }
        return bytes
    }
}

/// What a router says. Anything that is no answer to what we ask is `nil`.
enum PCPAnswer: Equatable {
    struct Body: Equatable {
        var operation: PCP.Operation
        var result: PCPResult
        /// Seconds that a mapping lasts, or that an error will.
        var lifetime: UInt32
        /// Seconds since the router lost its memory.
        var epoch: UInt32
    }

    case body(Body)
    /// It speaks another version: 0 is NAT-PMP (appendix A).
    case otherVersion(UInt8)

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let version = rest.takeInteger(UInt8.self), let code = rest.takeInteger(UInt8.self),
            code & PCP.answerBit != 0
        else { return nil }
        guard version == PCP.version else {
            self = .otherVersion(version)
            return
        }
        guard bytes.count <= PCP.longest, bytes.count.isMultiple(of: 4),
            rest.takeInteger(UInt8.self) != nil, let result = rest.takeInteger(UInt8.self),
            let lifetime = rest.takeInteger(UInt32.self), let epoch = rest.takeInteger(UInt32.self),
            rest.takeOctets(12) != nil
        else { return nil }
        let operation: PCP.Operation
        switch code ^ PCP.answerBit {
        case PCP.announce: operation = .announce
        case PCP.map:
            guard let mapping = PCP.Mapping(&rest) else { return nil }
            operation = .map(mapping)
        default: return nil
        }
        self = .body(Body(operation: operation, result: PCPResult(result), lifetime: lifetime, epoch: epoch))
    }
}

extension PCP.Mapping {
    /// Reads the body of a mapping for UDP; options may follow.
    fileprivate init?(_ rest: inout ArraySlice<UInt8>) {
        guard let high = rest.takeInteger(UInt32.self), let low = rest.takeInteger(UInt64.self),
            rest.takeInteger(UInt8.self) == PCP.udp, rest.takeOctets(3) != nil,
            let port = rest.takeInteger(UInt16.self), let external = rest.takeInteger(UInt16.self),
            let addressHigh = rest.takeInteger(UInt64.self), let addressLow = rest.takeInteger(UInt64.self)
        else { return nil }
        self.init(
            nonce: PCP.Nonce(high: high, low: low), port: port,
            external: Endpoint(address: .v6(addressHigh, addressLow), port: external))
    }
}

/// What came of a request (RFC 6887, §7.4).
enum PCPResult: Equatable {
    case success
    case refused(UInt8)

    init(_ code: UInt8) { self = code == 0 ? .success : .refused(code) }

    static let unknownVersion = PCPResult.refused(1)
    static let unknownOperation = PCPResult.refused(4)

    /// One clause; `nil` for success.
    var reason: String? {
        guard case .refused(let code) = self else { return nil }
        return switch code {
        case 1: "the router speaks another version"
        case 2: "the router refuses it"
        case 3, 5, 6: "the router doesn't understand us (error \(code))"
        case 4, 9: "the router doesn't offer it"
        case 7: "the router itself has no connection"
        case 8: "the router has no port left"
        case 10: "the router gives us no more ports"
        case 11: "the router can't give this port"
        case 12: "another router is between: what arrives there has not our address"
        default: "the router refuses it (error \(code))"
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(big value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Of 16 octets: IPv4 as IPv4-mapped (RFC 6887, §5).
    fileprivate mutating func append(_ address: Endpoint.Address) {
        let (high, low): (UInt64, UInt64) =
            switch address {
            case .v4(let bits): (0, 0xFFFF_0000_0000 | UInt64(bits))
            case .v6(let high, let low): (high, low)
            }
        append(big: high)
        append(big: low)
    }
}

extension ArraySlice<UInt8> {
    /// The next octets; `nil` when there are not so many.
    fileprivate mutating func takeOctets(_ count: Int) -> Self? {
        guard self.count >= count else { return nil }
        defer { self = dropFirst(count) }
        return prefix(count)
    }

    /// The next integer in network order; `nil` when there is none.
    fileprivate mutating func takeInteger<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) -> Value? {
        takeOctets(Value.bitWidth / 8)?.reduce(0) { $0 << 8 | Value($1) }
    }
}
