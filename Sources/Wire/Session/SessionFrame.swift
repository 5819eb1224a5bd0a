// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// One frame of a session's chat stream: a JSON object whose `type` says what the other members mean.
///
/// Nothing in it says who it is from: the session does. Unknown members are ignored.
public enum SessionFrame: Equatable, Sendable {
    /// The first frame of each side.
    case hello(Hello)
    /// The sender asks to be accepted.
    /// - Parameters:
    ///   - proof: 32 octets that show that it was invited.
    ///   - name: what it calls itself.
    case contact(proof: [UInt8]?, name: String?)
    /// The sender has accepted the receiver.
    case accepted
    case message(Text)
    /// These messages are on the sender's disk; 1 to `WireLimits.receipts` of them.
    case receipt([MessageID])
    /// The sender's user saw every message up to this counter.
    case read(upTo: UInt64)
    /// The sender's user is writing, or no longer.
    case typing(Bool)
    /// The sender's user is at the keyboard, or no longer.
    case active(Bool)
    /// A message can't be taken, now or ever; the reason is one clause.
    case refused(MessageID, reason: String)
    /// Where the sender may be reached, besides where it is: only told to whom it has accepted.
    case candidates(Candidates)
    /// The sender is about to probe the receiver's candidates: probe back, now.
    /// - Parameter round: 1 to `Candidates.rounds`; the answer carries the same number.
    case punch(round: Int, isAnswer: Bool)
    /// From now on the sender passes on for contacts of its own, or no longer.
    case relaying(Bool)
    case relay(Relay)

    /// Addresses of this machine, told inside a session (RFC 8445, §5.1).
    public struct Candidates: Equatable, Sendable {
        /// Of its interfaces.
        public var host: [Endpoint]
        /// As others see it.
        public var reflexive: [Endpoint]
        /// Ports that its router opened for it.
        public var mapped: [Endpoint]

        /// Addresses in all, at most.
        public static let limit = 8
        /// Rounds of hole punching at most.
        public static let rounds = 3

        public init(host: [Endpoint] = [], reflexive: [Endpoint] = [], mapped: [Endpoint] = []) {
            self.host = host
            self.reflexive = reflexive
            self.mapped = mapped
        }
    }

    /// Who opens its mouth: which run of which program.
    public struct Hello: Equatable, Sendable {
        /// Chance of one run: a peer that was restarted has another one.
        public var instance: UInt64
        /// Whether the sender has accepted the receiver.
        public var contact: Bool
        /// What the sender calls itself; only told to whom it has accepted.
        public var name: String?
        /// Whether the sender passes on for contacts of its own; only told to whom it has accepted.
        public var relays: Bool

        public init(instance: UInt64, contact: Bool, name: String? = nil, relays: Bool = false) {
            self.instance = instance
            self.contact = contact
            self.name = name
            self.relays = relays
        }
    }

    /// One message.
    public struct Text: Equatable, Sendable {
        public var id: MessageID
        /// The sender's count of messages to this receiver, from 1.
        public var counter: UInt64
        /// When the sender says it was written; `nil` when it does not know.
        public var created: WallTime?
        /// Not empty, `WireLimits.text` bytes at most.
        public var text: String

        public init(id: MessageID, counter: UInt64, created: WallTime?, text: String) {
            self.id = id
            self.counter = counter
            self.created = created
            self.text = text
        }
    }

    /// The only version so far; a later one adds members and types.
    public static let version: Int64 = 1
}

extension SessionFrame {
    /// The frame as JSON. Texts beyond their limits are the caller's mistake; names and reasons are cut.
    public func encoded() -> [UInt8] {
        var object: JSONObject
        switch self {
        case .hello(let hello):
            object = [
                "type": "hello", "version": .integer(SessionFrame.version), "instance": .string(hex(hello.instance)),
                "contact": .bool(hello.contact),
            ]
            object["name"] = shortened(hello.name).map { .string($0) }
            if hello.relays { object["relay"] = true }
        case .contact(let proof, let name):
            object = ["type": "contact"]
            object["proof"] = proof.map { .string(Base64URL.encode($0)) }
            object["name"] = shortened(name).map { .string($0) }
        case .accepted: object = ["type": "accepted"]
        case .message(let message):
            object = [
                "type": "message", "id": .string("\(message.id)"),
                "counter": .integer(Int64(clamping: message.counter)),
            ]
            object["created"] = message.created.map { .string($0.rfc3339) }
            object["text"] = .string(message.text)
        case .receipt(let ids): object = ["type": "receipt", "ids": .array(ids.map { .string("\($0)") })]
        case .read(let counter): object = ["type": "read", "counter": .integer(Int64(clamping: counter))]
        case .typing(let on): object = ["type": "typing", "on": .bool(on)]
        case .active(let on): object = ["type": "active", "on": .bool(on)]
        case .refused(let id, let reason):
            object = ["type": "refused", "id": .string("\(id)"), "reason": .string(clipped(reason))]
        case .candidates(let candidates):
            var room = Candidates.limit
            func listed(_ endpoints: [Endpoint]) -> JSONValue {
                let taken = endpoints.prefix(room)
                room -= taken.count
                return .array(taken.map { .string("\($0)") })
            }
            object = ["type": "candidates"]
            object["mapped"] = listed(candidates.mapped)
            object["reflexive"] = listed(candidates.reflexive)
            object["host"] = listed(candidates.host)
        case .punch(let round, let isAnswer):
            object = ["type": "punch", "round": .integer(Int64(round)), "answer": .bool(isAnswer)]
        case .relaying(let on): object = ["type": "relaying", "on": .bool(on)]
        case .relay(let relay): object = relay.object
        }
        return object.encoded()
    }
}

/// What bytes of a frame turned out to be.
public enum FrameReading: Equatable, Sendable {
    case frame(SessionFrame)
    /// Of a type from the future: to be ignored.
    case unknownType
    /// Not to be used; the ID if it is a message that has a readable one, so that its sender can be told.
    case faulty(WireError, message: MessageID?)
}

extension SessionFrame {
    /// Reads a frame. Total: whatever the bytes, it returns.
    public static func read(_ bytes: some Collection<UInt8>) -> FrameReading {
        guard bytes.count <= WireLimits.frame else {
            return .faulty(.tooLong(bytes: bytes.count, limit: WireLimits.frame), message: nil)
        }
        var object: JSONObject?
        do throws(WireError) {
            let parsed = try JSONObject(parsing: bytes)
            object = parsed
            return try read(parsed).map { .frame($0) } ?? .unknownType
        } catch {
            let isMessage = object?.string("type") == "message"
            return .faulty(error, message: isMessage ? object?.string("id").flatMap { MessageID($0) } : nil)
        }
    }

    /// `nil` for an unknown type.
    private static func read(_ object: JSONObject) throws(WireError) -> SessionFrame? {
        guard let type = object.string("type") else { throw .badMember("type") }
        switch type {
        case "hello": return .hello(try hello(object))
        case "contact": return .contact(proof: try proof(object), name: try name(object))
        case "accepted": return .accepted
        case "message": return .message(try text(object))
        case "receipt": return .receipt(try ids(object))
        case "read": return .read(upTo: try counter(object))
        case "typing": return .typing(try flag("on", object))
        case "active": return .active(try flag("on", object))
        case "refused":
            guard let reason = object.string("reason") else { throw .badMember("reason") }
            return .refused(try id(object), reason: clipped(reason))
        case "candidates":
            return .candidates(
                Candidates(
                    host: try endpoints("host", object), reflexive: try endpoints("reflexive", object),
                    mapped: try endpoints("mapped", object)))
        case "punch":
            guard let round = object.integer("round"), (1...Int64(Candidates.rounds)).contains(round) else {
                throw .badMember("round")
            }
            return .punch(round: Int(round), isAnswer: try flag("answer", object))
        case "relaying": return .relaying(try flag("on", object))
        case "relay": return .relay(try Relay(object))
        default: return nil
        }
    }

    private static func hello(_ object: JSONObject) throws(WireError) -> Hello {
        guard let version = object.integer("version"), version >= SessionFrame.version else {
            throw .badMember("version")
        }
        guard let digits = object.string("instance"), let instance = number(hex: digits) else {
            throw .badMember("instance")
        }
        return Hello(
            instance: instance, contact: try flag("contact", object), name: try name(object), relays: try offer(object))
    }

    /// Nobody offers what it does not say.
    private static func offer(_ object: JSONObject) throws(WireError) -> Bool {
        object["relay"] == nil ? false : try flag("relay", object)
    }

    private static func text(_ object: JSONObject) throws(WireError) -> Text {
        let id = try id(object)
        guard let text = object.string("text"), !text.isEmpty else { throw .badMember("text") }
        guard text.utf8.count <= WireLimits.text else {
            throw .tooLong(bytes: text.utf8.count, limit: WireLimits.text)
        }
        return Text(id: id, counter: try counter(object), created: try created(object), text: text)
    }

    private static func created(_ object: JSONObject) throws(WireError) -> WallTime? {
        switch object["created"] {
        case nil, .null?: nil
        case .string(let text)?: CreationTime.read(text)
        default: throw .badMember("created")
        }
    }

    private static func proof(_ object: JSONObject) throws(WireError) -> [UInt8]? {
        switch object["proof"] {
        case nil, .null?: return nil
        case .string(let text)?:
            guard text.utf8.count <= 64, let octets = Base64URL.decode(text), octets.count == 32 else { fallthrough }
            return octets
        default: throw .badMember("proof")
        }
    }

    private static func name(_ object: JSONObject) throws(WireError) -> String? {
        switch object["name"] {
        case nil, .null?: nil
        case .string(let text)?: shortened(text)
        default: throw .badMember("name")
        }
    }

    private static func ids(_ object: JSONObject) throws(WireError) -> [MessageID] {
        guard case .array(let values)? = object["ids"], (1...WireLimits.receipts).contains(values.count) else {
            throw .badMember("ids")
        }
        var ids: [MessageID] = []
        for value in values {
            guard case .string(let text) = value, let id = MessageID(text) else { throw .badMember("ids") }
            ids.append(id)
        }
        return ids
    }

    /// Those that packets may be sent to; what is no address at all is passed over, for later kinds.
    private static func endpoints(_ name: String, _ object: JSONObject) throws(WireError) -> [Endpoint] {
        switch object[name] {
        case nil, .null?: return []
        case .array(let values)? where values.count <= Candidates.limit:
            return values.compactMap { value in
                guard case .string(let text) = value, let endpoint = Endpoint(text) else { return nil }
                return endpoint.isUnicast ? endpoint : nil
            }
        default: throw .badMember(name)
        }
    }

    private static func id(_ object: JSONObject) throws(WireError) -> MessageID {
        guard let id = object.string("id").flatMap({ MessageID($0) }) else { throw .badMember("id") }
        return id
    }

    private static func counter(_ object: JSONObject) throws(WireError) -> UInt64 {
        guard let counter = object.integer("counter"), counter >= 1 else { throw .badMember("counter") }
        return UInt64(counter)
    }

    private static func flag(_ name: String, _ object: JSONObject) throws(WireError) -> Bool {
        guard let flag = object.bool(name) else { throw .badMember(name) }
        return flag
    }
}

/// A name of at most `WireLimits.name` scalars; `nil` for an empty one.
private func shortened(_ name: String?) -> String? {
    guard let name, !name.isEmpty else { return nil }
    return String(String.UnicodeScalarView(name.unicodeScalars.prefix(WireLimits.name)))
}

/// A reason of at most 200 scalars.
func clipped(_ reason: String) -> String { String(String.UnicodeScalarView(reason.unicodeScalars.prefix(200))) }

/// Sixteen lower-case digits.
private func hex(_ number: UInt64) -> String { withUnsafeBytes(of: number.bigEndian) { $0.hex } }

private func number(hex digits: String) -> UInt64? {
    guard digits.utf8.count == 16, digits.utf8.allSatisfy({ hexValue($0) != nil }) else { return nil }
    return UInt64(digits, radix: 16)
}
