// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
public import Model

/// One address at which a peer may be reached (RFC 8445's candidate).
public struct Candidate: Hashable, Sendable {
    /// How the address was learnt.
    public enum Kind: UInt8, Sendable {
        /// As an index server saw it.
        case reflexive = 1
        /// A port that a router opened on request.
        case mapped = 2
        /// At a relay.
        case relayed = 3
    }

    public var kind: Kind
    public var endpoint: Endpoint

    public init(_ kind: Kind, _ endpoint: Endpoint) {
        self.kind = kind
        self.endpoint = endpoint
    }
}

/// Who a peer is, where it is and how new that is, signed by the peer: an index server can withhold it or keep an old
/// one, but can't forge it.
///
/// ```
/// octets
/// 1      format, 1
/// 1      algorithm of the key, 1: Ed25519
/// 32     public key
/// 8      sequence
/// 4      validity in seconds
/// 1      number of candidates, at most 8; for each:
///   1      kind
///   1      family, 4 or 6
///   4/16   address
///   2      port
/// 2      length of extensions, then as many octets, ignored by whoever does not know them: for each
///   1      kind, 1: binding
///   1      length, then as many octets
/// 64     signature over "parley/record/1" and everything before it
/// ```
/// Numbers are in network order. A whole record has at most 384 octets.
public struct PeerRecord: Equatable, Sendable {
    public var key: PeerKey
    /// Grows with each record of a key: the larger of the last one plus 1 and Unix milliseconds.
    public var sequence: UInt64
    /// How long it may be used, in seconds from the moment that the sequence names.
    public var validity: UInt32
    public var candidates: [Candidate]
    /// For a record that does not name the address that it is registered from: 16 octets by which an index server knows
    /// that it was signed for this registration and not read elsewhere; see ``binding(to:)``.
    public var binding: [UInt8]?

    public init(
        key: PeerKey, sequence: UInt64, validity: UInt32 = PeerRecord.day, candidates: [Candidate],
        binding: [UInt8]? = nil
    ) {
        self.binding = binding
        self.key = key
        self.sequence = sequence
        self.validity = validity
        self.candidates = candidates
    }

    /// The usual validity: 24 hours.
    public static let day: UInt32 = 86_400
    /// Octets of a record at most.
    public static let sizeLimit = 384
    /// Candidates of a record at most.
    public static let candidateLimit = 8
    /// How far ahead of the reader's clock a sequence may be, in milliseconds: ten minutes.
    public static let skewLimit: Int64 = 600_000

    private static let format: UInt8 = 1
    private static let domain = Array("parley/record/1".utf8)
    private static let signatureSize = 64

    /// The sequence of the next record.
    public static func nextSequence(after last: UInt64, now: WallTime) -> UInt64 {
        let (next, overflow) = last.addingReportingOverflow(1)
        return max(overflow ? .max : next, UInt64(clamping: now.milliseconds))
    }

    /// Why octets are no usable record.
    public enum Fault: Error, Equatable, Sendable {
        case tooLong, truncated, unknownFormat, badKey, badCandidate, trailingOctets, badSignature
    }

    /// Reads a record and checks its signature. What it says is then what its key said; whether that is the right key,
    /// new and still valid is the caller's question.
    public init(verifying octets: [UInt8]) throws(Fault) {
        guard octets.count <= PeerRecord.sizeLimit else { throw .tooLong }
        var reader = OctetReader(octets)
        guard let format = reader.octet(), let algorithm = reader.octet() else { throw .truncated }
        guard format == PeerRecord.format, algorithm == PeerKey.algorithm else { throw .unknownFormat }
        guard let keyOctets = reader.take(32), let sequence = reader.number(8), let validity = reader.number(4),
            let count = reader.octet()
        else { throw .truncated }
        guard let key = PeerKey(octets: keyOctets) else { throw .badKey }
        guard count <= PeerRecord.candidateLimit else { throw .badCandidate }
        var candidates: [Candidate] = []
        for _ in 0..<count { if let candidate = try reader.candidate() { candidates.append(candidate) } }
        guard let length = reader.number(2), let extensions = reader.take(Int(length)) else { throw .truncated }
        let signed = reader.consumed
        guard let signature = reader.take(PeerRecord.signatureSize) else { throw .truncated }
        guard reader.isAtEnd else { throw .trailingOctets }
        guard key.verifies(Array(signature), over: PeerRecord.domain + signed) else { throw .badSignature }
        self.init(
            key: key, sequence: sequence, validity: UInt32(validity), candidates: candidates,
            binding: PeerRecord.binding(in: Array(extensions)))
    }

    /// What a record is bound to that is signed for one registration: the first 16 octets of
    /// SHA-256("parley/registration/1" ‖ cookie), the cookie being the server's proof of the source address.
    public static func binding(to cookie: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array("parley/registration/1".utf8) + cookie).prefix(bindingSize))
    }

    /// Whether it says where its peer can be reached without a relay. One that doesn't hides the peer's address.
    public var namesAddress: Bool { candidates.contains { $0.kind != .relayed } }

    /// Whether an index server may tell anybody the address that a record was registered from: read from the octets of
    /// one that was verified, without reading it whole.
    public static func namesAddress(verified octets: [UInt8]) -> Bool {
        // The kind of the first candidate: those of relays stand last.
        octets.count > 47 && octets[46] > 0 && octets[47] != Candidate.Kind.relayed.rawValue
    }

    private static let bindingSize = 16
    private static let bindingKind: UInt8 = 1

    /// Extensions that are cut off or of another size are as good as none.
    private static func binding(in extensions: [UInt8]) -> [UInt8]? {
        var reader = OctetReader(extensions)
        while let kind = reader.octet(), let length = reader.octet(), let octets = reader.take(Int(length)) {
            if kind == bindingKind, octets.count == bindingSize { return Array(octets) }
        }
        return nil
    }

    /// The signed octets; candidates beyond the limit are left out.
    public func signed(by identity: Identity) throws -> [UInt8] {
        var octets: [UInt8] = [PeerRecord.format, PeerKey.algorithm]
        octets += key.octets
        octets += bigEndianOctets(sequence, count: 8) + bigEndianOctets(UInt64(validity), count: 4)
        // Those of relays stand last, which is what `namesAddress(verified:)` goes by.
        let ordered = candidates.filter { $0.kind != .relayed } + candidates.filter { $0.kind == .relayed }
        let listed = ordered.prefix(PeerRecord.candidateLimit)
        octets.append(UInt8(listed.count))
        for candidate in listed { octets += candidate.octets }
        let extensions = binding.map { [PeerRecord.bindingKind, UInt8($0.count)] + $0 } ?? []
        octets += bigEndianOctets(UInt64(extensions.count), count: 2) + extensions
        return octets + (try identity.sign(PeerRecord.domain + octets))
    }

    /// Whether it is neither from the future, beyond the allowed skew, nor past its validity.
    public func isCurrent(at now: WallTime) -> Bool {
        guard let issued = Int64(exactly: sequence) else { return false }
        let (end, overflow) = issued.addingReportingOverflow(Int64(validity) * 1000)
        return issued <= now.milliseconds + PeerRecord.skewLimit && (overflow || now.milliseconds < end)
    }
}

extension Candidate {
    fileprivate var octets: [UInt8] {
        let address: [UInt8]
        switch endpoint.address {
        case .v4(let bits): address = [4] + bigEndianOctets(UInt64(bits), count: 4)
        case .v6(let high, let low): address = [6] + bigEndianOctets(high, count: 8) + bigEndianOctets(low, count: 8)
        }
        return [kind.rawValue] + address + bigEndianOctets(UInt64(endpoint.port), count: 2)
    }
}

extension OctetReader {
    /// `nil` for a kind that is not known here, and for an address that nothing may be sent to.
    fileprivate mutating func candidate() throws(PeerRecord.Fault) -> Candidate? {
        guard let kind = octet(), let family = octet() else { throw .truncated }
        let address: Endpoint.Address
        switch family {
        case 4:
            guard let bits = number(4) else { throw .truncated }
            address = .v4(UInt32(truncatingIfNeeded: bits))
        case 6:
            guard let high = number(8), let low = number(8) else { throw .truncated }
            address = .v6(high, low)
        default: throw .badCandidate
        }
        guard let port = number(2) else { throw .truncated }
        let endpoint = Endpoint(address: address, port: UInt16(truncatingIfNeeded: port))
        guard endpoint.isUnicast else { return nil }
        return Candidate.Kind(rawValue: kind).map { Candidate($0, endpoint) }
    }
}
