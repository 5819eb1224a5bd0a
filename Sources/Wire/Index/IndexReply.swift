// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What an index server answers. Member names and order are the seed's where the seed has the answer.
public enum IndexReply: Equatable, Sendable {
    /// `{"status":"OK","uuid":…}`; ours adds the lease.
    case registered(uuid: PeerID, lease: Lease?)
    /// `{"status":"cookie","cookie":…,"seen":…}`: ask again with this proof of your address.
    case cookie([UInt8], seen: Endpoint, offers: ServerOffers = ServerOffers())
    /// `{"address":…,"uuid":…}`, the address `nil` when nothing is known; ours adds the record.
    case answer(address: Endpoint?, text: String, record: [UInt8]?)
    /// `{"address":"nil","id":"invalid_uuid"}`: the query named none.
    case invalidID
    /// `{"status":"OK","boot":…,"lease_s":…}`: still registered.
    case alive(boot: String, leaseSeconds: Int)
    /// `{"status":"unknown","boot":…,"spread_s":…}`: register again, at a moment of your choice within the spread.
    case unknown(boot: String, spreadSeconds: Int)
    /// `{"status":"moved","boot":…,"seen":…}`: your address changed, which takes a new record.
    case moved(boot: String, seen: Endpoint)
    /// `{"status":"calling","channel":…}`: the other side was told; the channel is missing when the server does not
    /// relay.
    case calling(channel: RelayChannel?)
    /// `{"status":"absent"}`: whom you call is not registered here.
    case absent
    /// `{"status":"seen","seen":…}`.
    case seen(Endpoint)
    /// `{"status":"error","reason":…}`; the reason is empty when there was no room for it.
    case failed(reason: String)

    /// What a server promises to a keyed peer.
    public struct Lease: Equatable, Sendable {
        /// For keepalives; secret between the two.
        public var token: [UInt8]
        /// Seconds until the row expires without a keepalive.
        public var seconds: Int
        /// Names this run of the server.
        public var boot: String
        /// The source address of the registration.
        public var seen: Endpoint
        public var offers: ServerOffers

        public init(
            token: [UInt8], seconds: Int, boot: String, seen: Endpoint, offers: ServerOffers = ServerOffers()
        ) {
            self.offers = offers
            self.token = token
            self.seconds = seconds
            self.boot = boot
            self.seen = seen
        }
    }
}

/// What a server does for its peers beyond the registration.
public struct ServerOffers: Equatable, Sendable {
    /// `"relay":true`: it forwards datagrams between registered peers.
    public var relays: Bool
    /// `"second":PORT`: a second UDP port that tells who asks where it sees them. Two ports of one server tell a router
    /// that keeps one mapping for all destinations from one that doesn't (RFC 4787, §4.1).
    public var secondPort: UInt16?

    public init(relays: Bool = false, secondPort: UInt16? = nil) {
        self.relays = relays
        self.secondPort = secondPort
    }
}

extension IndexAnswer {
    /// Reads a reply, the nonce that came with it, and its proof.
    /// - Throws: what ``IndexReply/parse(_:)`` throws.
    public init(parsing bytes: [UInt8]) throws(WireError) {
        let object = try JSONObject(parsing: bytes)
        self.init(try IndexReply.reply(object), nonce: object.string("nonce"), proof: IndexProof(object))
    }
}

extension IndexReply {
    /// The reply as a datagram.
    /// - Parameter nonce: the request's, echoed.
    public func encoded(nonce: String? = nil, proof: IndexProof? = nil) -> [UInt8] {
        var object = members
        object["nonce"] = nonce.map { .string($0) }
        proof?.write(to: &object)
        return object.encoded()
    }

    private var members: JSONObject {
        switch self {
        case .registered(let uuid, let lease):
            var object: JSONObject = ["status": "OK", "uuid": .string("\(uuid)")]
            if let lease {
                object["token"] = .string(Base64URL.encode(lease.token))
                object["lease_s"] = .integer(Int64(lease.seconds))
                object["boot"] = .string(lease.boot)
                object["seen"] = .string("\(lease.seen)")
                Self.write(lease.offers, to: &object)
            }
            return object
        case .cookie(let cookie, let seen, let offers):
            var object: JSONObject = [
                "status": "cookie", "cookie": .string(Base64URL.encode(cookie)), "seen": .string("\(seen)"),
            ]
            Self.write(offers, to: &object)
            return object
        case .answer(let address, let text, let record):
            var object: JSONObject = [
                "address": .string(address.map { "\($0)" } ?? "nil"), "uuid": .string(text),
            ]
            object["record"] = record.map { .string(Base64URL.encode($0)) }
            return object
        case .invalidID:
            return ["address": "nil", "id": "invalid_uuid"]
        case .alive(let boot, let leaseSeconds):
            return ["status": "OK", "boot": .string(boot), "lease_s": .integer(Int64(leaseSeconds))]
        case .unknown(let boot, let spreadSeconds):
            return ["status": "unknown", "boot": .string(boot), "spread_s": .integer(Int64(spreadSeconds))]
        case .moved(let boot, let seen):
            return ["status": "moved", "boot": .string(boot), "seen": .string("\(seen)")]
        case .calling(let channel):
            var object: JSONObject = ["status": "calling"]
            object["channel"] = channel.map { .string($0.text) }
            return object
        case .absent:
            return ["status": "absent"]
        case .seen(let endpoint):
            return ["status": "seen", "seen": .string("\(endpoint)")]
        case .failed(let reason):
            return ["status": "error", "reason": .string(reason)]
        }
    }

    /// Reads a reply and the nonce that came with it. An `OK` with a `uuid` is a registration, one without is a
    /// keepalive's.
    /// - Throws: `notJSON`, `tooDeep`, `notAnObject`, `badMember`.
    public static func parse(_ bytes: [UInt8]) throws(WireError) -> (reply: IndexReply, nonce: String?) {
        let answer = try IndexAnswer(parsing: bytes)
        return (answer.reply, answer.nonce)
    }

    fileprivate static func reply(_ object: JSONObject) throws(WireError) -> IndexReply {
        if let address = object.string("address") {
            guard let text = object.string("uuid") else {
                guard object["id"] != nil else { throw .badMember("uuid") }
                return .invalidID
            }
            let endpoint = Endpoint(address)
            guard endpoint.map({ $0.port != 0 }) ?? (address == "nil") else { throw .badMember("address") }
            let record = object.string("record").flatMap { Base64URL.decode($0) }
            return .answer(address: endpoint, text: text, record: record)
        }
        switch object.string("status") {
        case "OK":
            guard object["uuid"] != nil else {
                return .alive(boot: try text(object, "boot"), leaseSeconds: try seconds(object, "lease_s"))
            }
            guard let uuid = PeerID(try text(object, "uuid")) else { throw .badMember("uuid") }
            guard object["token"] != nil else { return .registered(uuid: uuid, lease: nil) }
            let lease = Lease(
                token: try bytes(object, "token"), seconds: try seconds(object, "lease_s"),
                boot: try text(object, "boot"), seen: try endpoint(object, "seen"), offers: offers(object))
            return .registered(uuid: uuid, lease: lease)
        case "cookie":
            return .cookie(try bytes(object, "cookie"), seen: try endpoint(object, "seen"), offers: offers(object))
        case "unknown":
            return .unknown(boot: try text(object, "boot"), spreadSeconds: try seconds(object, "spread_s"))
        case "moved": return .moved(boot: try text(object, "boot"), seen: try endpoint(object, "seen"))
        case "calling": return .calling(channel: object.string("channel").flatMap { RelayChannel(text: $0) })
        case "absent": return .absent
        case "seen": return .seen(try endpoint(object, "seen"))
        case "error": return .failed(reason: object["reason"] == nil ? "" : try text(object, "reason"))
        default: throw .badMember("status")
        }
    }

    private static func write(_ offers: ServerOffers, to object: inout JSONObject) {
        if offers.relays { object["relay"] = true }
        object["second"] = offers.secondPort.map { .integer(Int64($0)) }
    }

    private static func offers(_ object: JSONObject) -> ServerOffers {
        let port = object.integer("second").flatMap { UInt16(exactly: $0) }.flatMap { $0 == 0 ? nil : $0 }
        return ServerOffers(relays: object.bool("relay") == true, secondPort: port)
    }

    /// At most 64 bytes of text: what a server may make a client keep.
    private static func text(_ object: JSONObject, _ name: String) throws(WireError) -> String {
        guard let text = object.string(name), text.utf8.count <= 64 else { throw .badMember(name) }
        return text
    }

    private static func bytes(_ object: JSONObject, _ name: String) throws(WireError) -> [UInt8] {
        guard let bytes = Base64URL.decode(try text(object, name)) else { throw .badMember(name) }
        return bytes
    }

    private static func endpoint(_ object: JSONObject, _ name: String) throws(WireError) -> Endpoint {
        guard let endpoint = Endpoint(try text(object, name)), endpoint.port != 0 else { throw .badMember(name) }
        return endpoint
    }

    /// 0 to a week.
    private static func seconds(_ object: JSONObject, _ name: String) throws(WireError) -> Int {
        guard let seconds = object.integer(name), (0...604_800).contains(seconds) else { throw .badMember(name) }
        return Int(seconds)
    }
}
