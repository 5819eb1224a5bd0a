// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What an index server tells a registered peer unasked.
public enum IndexNotice: Equatable, Sendable {
    /// `{"call":…,"reference":…}`: another registered peer wants to reach you, so open your router to it.
    case call(Call)

    public struct Call: Equatable, Sendable {
        /// Who calls, as the server knows it: unchecked until `record` says so.
        public var caller: PeerID
        /// Where the server sees it; `nil` for one that hides its address or has no UDP.
        public var address: Endpoint?
        /// Its signed record, unchecked.
        public var record: [UInt8]?
        /// What the caller's probes are called by, so that it knows ours: 8 octets.
        public var reference: UInt64
        /// The channel that the two have at this server, if it relays.
        public var channel: RelayChannel?

        public init(
            caller: PeerID, address: Endpoint?, record: [UInt8]?, reference: UInt64, channel: RelayChannel? = nil
        ) {
            self.caller = caller
            self.address = address
            self.record = record
            self.reference = reference
            self.channel = channel
        }
    }
}

extension IndexNotice {
    /// Bytes at most: two UUIDs' worth of members around a record.
    public static let sizeLimit = 1024

    public func encoded() -> [UInt8] {
        switch self {
        case .call(let call):
            var object: JSONObject = [
                "call": .string("\(call.caller)"), "address": .string(call.address.map { "\($0)" } ?? "nil"),
                "reference": .string(RelayChannel(call.reference).text),
            ]
            object["record"] = call.record.map { .string(Base64URL.encode($0)) }
            object["channel"] = call.channel.map { .string($0.text) }
            return object.encoded()
        }
    }

    /// `nil` for anything else: the same port brings answers and the seed's messages.
    public init?(_ object: JSONObject) {
        guard let caller = object.string("call").flatMap({ PeerID($0) }),
            let reference = object.string("reference").flatMap({ RelayChannel(text: $0) })
        else { return nil }
        let address = object.string("address").flatMap { Endpoint($0) }.flatMap { $0.isUnicast ? $0 : nil }
        let record = object.string("record").flatMap { Base64URL.decode($0) }
        guard record?.count ?? 0 <= WireLimits.record else { return nil }
        self = .call(
            Call(
                caller: caller, address: address, record: record, reference: reference.number,
                channel: object.string("channel").flatMap { RelayChannel(text: $0) }))
    }
}
