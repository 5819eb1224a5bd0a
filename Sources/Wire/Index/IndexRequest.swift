// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What a peer asks of an index server: the seed's two requests, with our members added, and the keepalive.
///
/// Unknown members are ignored, so the seed's programs and later versions of ours can talk with any server.
public enum IndexRequest: Equatable, Sendable {
    /// `{"req_type":"registration","addr":…}`; ours adds `uuid`, `record`, `cookie`, `nonce`, `prove` and `pad`.
    case registration(Registration)
    /// `{"req_type":"query","queried_uuid":…}`; ours adds `nonce`, `prove` and `pad`.
    case query(Query)
    /// `{"req_type":"keepalive","uuid":…,"token":…,"nonce":…}`: ours alone, with `prove` and `pad`.
    case keepalive(Keepalive)
    /// `{"req_type":"call","uuid":…,"token":…,"to":…,"reference":…,"nonce":…}`: ours alone, padded. "I am about to
    /// reach this peer: tell it, and give the two of us a channel if you relay."
    case call(Call)
    /// `{"req_type":"seen","nonce":…}`: ours alone, padded. "Where do you see me?"
    case seen(nonce: String)

    /// "I am there."
    public struct Registration: Equatable, Sendable {
        /// Where the sender says that it listens. Not trusted.
        public var address: Endpoint
        /// Present when the sender brings its own identity. Not trusted until the record proves it.
        public var signed: Signed?
        /// Echoed, so that an answer can't be guessed from off the path.
        public var nonce: String?
        /// Whether the server shall prove its key; only with a nonce.
        public var wantsProof: Bool

        public init(address: Endpoint, signed: Signed? = nil, nonce: String? = nil, wantsProof: Bool = false) {
            self.address = address
            self.signed = signed
            self.nonce = nonce
            self.wantsProof = wantsProof
        }
    }

    /// The members of a registration under one's own key.
    public struct Signed: Equatable, Sendable {
        public var peer: PeerID
        /// A signed record, unchecked: at most `WireLimits.record` bytes.
        public var record: [UInt8]
        /// The server's proof of the source address, from its last answer.
        public var cookie: [UInt8]?

        public init(peer: PeerID, record: [UInt8], cookie: [UInt8]? = nil) {
            self.peer = peer
            self.record = record
            self.cookie = cookie
        }
    }

    /// "Where is …?"
    public struct Query: Equatable, Sendable {
        /// As sent, to be echoed; any text.
        public var text: String
        public var nonce: String?
        /// Whether the server shall prove its key; only with a nonce.
        public var wantsProof: Bool

        public init(text: String, nonce: String? = nil, wantsProof: Bool = false) {
            self.text = text
            self.nonce = nonce
            self.wantsProof = wantsProof
        }

        /// The ID asked for; `nil` when the text is none.
        public var peer: PeerID? { PeerID(text) }
    }

    /// "I am calling …"
    public struct Call: Equatable, Sendable {
        public var caller: PeerID
        /// From the answer to the caller's registration.
        public var token: [UInt8]
        public var callee: PeerID
        /// What the caller's probes are called by.
        public var reference: UInt64
        public var nonce: String?

        public init(caller: PeerID, token: [UInt8], callee: PeerID, reference: UInt64, nonce: String? = nil) {
            self.caller = caller
            self.token = token
            self.callee = callee
            self.reference = reference
            self.nonce = nonce
        }
    }

    /// "I am still there."
    public struct Keepalive: Equatable, Sendable {
        public var peer: PeerID
        /// From the answer to the registration.
        public var token: [UInt8]
        public var nonce: String?
        /// Whether the server shall prove its key; only with a nonce.
        public var wantsProof: Bool

        public init(peer: PeerID, token: [UInt8], nonce: String? = nil, wantsProof: Bool = false) {
            self.peer = peer
            self.token = token
            self.nonce = nonce
            self.wantsProof = wantsProof
        }
    }
}

extension IndexRequest {
    /// Whether the answer shall prove the server's key.
    public var wantsProof: Bool {
        switch self {
        case .registration(let registration): registration.wantsProof
        case .query(let query): query.wantsProof
        case .keepalive(let keepalive): keepalive.wantsProof
        case .call, .seen: false
        }
    }

    /// Why a datagram is no usable request.
    public enum Refusal: Error, Equatable, Sendable {
        /// Nothing that an index server answers.
        case silent(WireError)
        /// A query without a textual `queried_uuid`: the seed has an answer of its own for it.
        case queryWithoutID
        /// A known request with an unusable member: answered with a small error.
        case malformed(member: String, nonce: String?)
    }

    /// Reads a request.
    public init(parsing bytes: [UInt8]) throws(Refusal) {
        let object: JSONObject
        do throws(WireError) { object = try JSONObject(parsing: bytes) } catch { throw .silent(error) }
        let nonce = Self.nonce(object)
        // Without a nonce an old proof would do.
        let wantsProof = nonce != nil && object.bool("prove") == true
        switch object.string("req_type") {
        case "registration": self = .registration(try Self.registration(object, nonce, wantsProof))
        case "query":
            guard let text = object.string("queried_uuid") else { throw .queryWithoutID }
            self = .query(Query(text: text, nonce: nonce, wantsProof: wantsProof))
        case "keepalive": self = .keepalive(try Self.keepalive(object, nonce, wantsProof))
        case "call": self = .call(try Self.call(object, nonce))
        case "seen":
            guard let nonce else { throw .silent(.notARequest) }
            self = .seen(nonce: nonce)
        default: throw .silent(.notARequest)
        }
    }

    /// A nonce is ours and short; a longer one is not echoed.
    private static func nonce(_ object: JSONObject) -> String? {
        guard let nonce = object.string("nonce"), nonce.utf8.count <= 16 else { return nil }
        return nonce
    }

    private static func registration(
        _ object: JSONObject, _ nonce: String?, _ wantsProof: Bool
    ) throws(Refusal) -> Registration {
        guard let address = object.string("addr").flatMap({ Endpoint($0) }), address.port != 0 else {
            throw .malformed(member: "addr", nonce: nonce)
        }
        guard object["record"] != nil else { return Registration(address: address, nonce: nonce) }
        guard let peer = object.string("uuid").flatMap({ PeerID($0) }) else {
            throw .malformed(member: "uuid", nonce: nonce)
        }
        guard let record = object.string("record").flatMap({ Base64URL.decode($0) }), record.count <= WireLimits.record
        else { throw .malformed(member: "record", nonce: nonce) }
        let cookie = object.string("cookie").flatMap { Base64URL.decode($0) }
        return Registration(
            address: address, signed: Signed(peer: peer, record: record, cookie: cookie), nonce: nonce,
            wantsProof: wantsProof)
    }

    private static func keepalive(
        _ object: JSONObject, _ nonce: String?, _ wantsProof: Bool
    ) throws(Refusal) -> Keepalive {
        guard let peer = object.string("uuid").flatMap({ PeerID($0) }) else {
            throw .malformed(member: "uuid", nonce: nonce)
        }
        guard let token = object.string("token").flatMap({ Base64URL.decode($0) }), token.count <= 32 else {
            throw .malformed(member: "token", nonce: nonce)
        }
        return Keepalive(peer: peer, token: token, nonce: nonce, wantsProof: wantsProof)
    }

    private static func call(_ object: JSONObject, _ nonce: String?) throws(Refusal) -> Call {
        guard let caller = object.string("uuid").flatMap({ PeerID($0) }) else {
            throw .malformed(member: "uuid", nonce: nonce)
        }
        guard let token = object.string("token").flatMap({ Base64URL.decode($0) }), token.count <= 32 else {
            throw .malformed(member: "token", nonce: nonce)
        }
        guard let callee = object.string("to").flatMap({ PeerID($0) }) else {
            throw .malformed(member: "to", nonce: nonce)
        }
        guard let reference = object.string("reference").flatMap({ RelayChannel(text: $0) }) else {
            throw .malformed(member: "reference", nonce: nonce)
        }
        return Call(caller: caller, token: token, callee: callee, reference: reference.number, nonce: nonce)
    }

    /// The request as a datagram. A query with a nonce, and any request for a proof, is padded, so that the answer may
    /// carry a record and a proof without being larger than what was asked.
    public func encoded() -> [UInt8] {
        switch self {
        case .registration(let registration):
            var object: JSONObject = ["req_type": "registration", "addr": .string("\(registration.address)")]
            if let signed = registration.signed {
                object["uuid"] = .string("\(signed.peer)")
                object["record"] = .string(Base64URL.encode(signed.record))
                object["cookie"] = signed.cookie.map { .string(Base64URL.encode($0)) }
            }
            object["nonce"] = registration.nonce.map { .string($0) }
            guard registration.wantsProof else { return object.encoded() }
            return object.asking(padTo: WireLimits.provenRegistration)
        case .query(let query):
            var object: JSONObject = ["req_type": "query", "queried_uuid": .string(query.text)]
            guard let nonce = query.nonce else { return object.encoded() }
            object["nonce"] = .string(nonce)
            guard query.wantsProof else { return object.padded(to: WireLimits.paddedQuery) }
            return object.asking(padTo: WireLimits.paddedQuery + IndexProof.encodedSize)
        case .keepalive(let keepalive):
            var object: JSONObject = [
                "req_type": "keepalive", "uuid": .string("\(keepalive.peer)"),
                "token": .string(Base64URL.encode(keepalive.token)),
            ]
            object["nonce"] = keepalive.nonce.map { .string($0) }
            guard keepalive.wantsProof else { return object.encoded() }
            return object.asking(padTo: WireLimits.provenKeepalive)
        case .call(let call):
            var object: JSONObject = [
                "req_type": "call", "uuid": .string("\(call.caller)"), "token": .string(Base64URL.encode(call.token)),
                "to": .string("\(call.callee)"), "reference": .string(RelayChannel(call.reference).text),
            ]
            object["nonce"] = call.nonce.map { .string($0) }
            return object.encoded()
        case .seen(let nonce):
            return (["req_type": "seen", "nonce": .string(nonce)] as JSONObject).padded(to: WireLimits.paddedSeen)
        }
    }
}

extension JSONObject {
    fileprivate func asking(padTo size: Int) -> [UInt8] {
        var object = self
        object["prove"] = true
        return object.padded(to: size)
    }

    fileprivate func padded(to size: Int) -> [UInt8] {
        var object = self
        object["pad"] = ""
        object["pad"] = .string(String(repeating: "0", count: max(0, size - object.encoded().count)))
        return object.encoded()
    }
}
