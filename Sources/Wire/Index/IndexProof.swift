// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// What an index server adds to an answer whose question said `"prove":true`: that its key, and nobody else's, said
/// this to this question.
public struct IndexProof: Equatable, Sendable {
    /// 64 octets of Ed25519 over ``IndexReply/statement(nonce:)``; unchecked.
    public var signature: [UInt8]
    /// The 32 octets of the server's public key, unchecked: for telling another key from none.
    public var key: [UInt8]

    public init(signature: [UInt8], key: [UInt8]) {
        self.signature = signature
        self.key = key
    }

    /// Bytes by which a proof makes an answer longer: `,"proof":"…","server_key":"…"`.
    public static let encodedSize = 11 + 86 + 16 + 43

    /// `nil` when there is not a trace of one. A broken one comes out empty, and proves nothing.
    init?(_ object: JSONObject) {
        guard object["proof"] != nil || object["server_key"] != nil else { return nil }
        func octets(_ name: String) -> [UInt8] {
            guard let text = object.string(name), text.utf8.count <= 86 else { return [] }
            return Base64URL.decode(text) ?? []
        }
        self.init(signature: octets("proof"), key: octets("server_key"))
    }

    func write(to object: inout JSONObject) {
        object["proof"] = .string(Base64URL.encode(signature))
        object["server_key"] = .string(Base64URL.encode(key))
    }
}

/// An answer with everything around it.
public struct IndexAnswer: Equatable, Sendable {
    public var reply: IndexReply
    /// The request's, echoed.
    public var nonce: String?
    public var proof: IndexProof?

    public init(_ reply: IndexReply, nonce: String? = nil, proof: IndexProof? = nil) {
        self.reply = reply
        self.nonce = nonce
        self.proof = proof
    }
}

extension IndexReply {
    /// What a server signs: a domain, then the nonce, the kind of answer and each thing that it says, as text or octets
    /// and each with its length in two octets before it. What is `nil` is empty. Members of later versions are not in
    /// it.
    ///
    /// | kind | what it says |
    /// |---|---|
    /// | `registered` | uuid, token, lease_s, boot, seen |
    /// | `cookie` | cookie, seen |
    /// | `answer` | address or `nil`, uuid as sent, record |
    /// | `invalid` | |
    /// | `alive` | boot, lease_s |
    /// | `unknown` | boot, spread_s |
    /// | `moved` | boot, seen |
    /// | `calling` | channel |
    /// | `absent` | |
    /// | `seen` | seen |
    /// | `error` | reason |
    public func statement(nonce: String) -> [UInt8] {
        let fields = [Array(nonce.utf8)] + said
        return fields.reduce(into: Array("parley/index-answer/1".utf8)) { out, field in
            out += [UInt8(truncatingIfNeeded: field.count >> 8), UInt8(truncatingIfNeeded: field.count)] + field
        }
    }

    private var said: [[UInt8]] {
        func text(_ value: some CustomStringConvertible) -> [UInt8] { Array(value.description.utf8) }
        switch self {
        case .registered(let uuid, let lease):
            let promised = lease.map { [$0.token, text($0.seconds), text($0.boot), text($0.seen)] }
            return [text("registered"), text(uuid)] + (promised ?? [])
        case .cookie(let cookie, let seen, _): return [text("cookie"), cookie, text(seen)]
        case .answer(let address, let asked, let record):
            return [text("answer"), address.map { text($0) } ?? text("nil"), text(asked), record ?? []]
        case .invalidID: return [text("invalid")]
        case .alive(let boot, let leaseSeconds): return [text("alive"), text(boot), text(leaseSeconds)]
        case .unknown(let boot, let spreadSeconds): return [text("unknown"), text(boot), text(spreadSeconds)]
        case .moved(let boot, let seen): return [text("moved"), text(boot), text(seen)]
        case .calling(let channel): return [text("calling"), channel?.octets ?? []]
        case .absent: return [text("absent")]
        case .seen(let endpoint): return [text("seen"), text(endpoint)]
        case .failed(let reason): return [text("error"), text(reason)]
        }
    }
}
