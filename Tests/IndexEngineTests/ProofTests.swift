// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

/// The server's own key, for those who pinned it.
@Suite struct ProofTests {
    private static let nonce = "0123456789abcdef"
    private static let longest = Endpoint(address: .v6(.max >> 3, .max), port: 65_535)
    private let server = Identity()
    private let peer = Identity()

    private func proven(_ outcome: IndexHarness.Outcome) throws -> IndexReply {
        let answer = try IndexAnswer(parsing: #require(outcome.reply))
        let proof = try #require(answer.proof, "\(answer.reply)")
        #expect(proof.key == server.key.octets)
        let statement = answer.reply.statement(nonce: try #require(answer.nonce))
        #expect(server.key.verifies(proof.signature, over: statement))
        return answer.reply
    }

    @Test(arguments: [Endpoint.loopback(9), longest])
    func `every answer to one who asks for it is proven, and no larger than what was asked`(source: Endpoint) throws {
        var index = IndexHarness(identity: server)
        func registration(_ cookie: [UInt8]?, record: [UInt8]) -> IndexRequest {
            .registration(
                .init(
                    address: source, signed: .init(peer: peer.peer, record: record, cookie: cookie),
                    nonce: Self.nonce, wantsProof: true))
        }
        func ask(_ request: IndexRequest, from source: Endpoint) throws -> IndexReply {
            let bytes = request.encoded()
            #expect(bytes.count <= WireLimits.seedDatagram)
            let outcome = index.send(bytes, from: source)
            #expect((outcome.reply?.count ?? 0) <= bytes.count, "\(request)")
            return try proven(outcome)
        }
        let record = try index.record(peer, at: source)
        guard case .cookie(let cookie, _, _) = try ask(registration(nil, record: record), from: source),
            case .registered(_, let lease?) = try ask(registration(cookie, record: record), from: source),
            case .failed = try ask(registration(cookie, record: [1]), from: source)
        else {
            Issue.record("another answer")
            return
        }
        let keepalive = IndexRequest.keepalive(
            .init(peer: peer.peer, token: lease.token, nonce: Self.nonce, wantsProof: true))
        guard case .alive = try ask(keepalive, from: source), case .moved = try ask(keepalive, from: .loopback(10)),
            case .moved = try ask(keepalive, from: Endpoint(address: Self.longest.address, port: 65_534)),
            case .unknown = try ask(
                .keepalive(.init(peer: Identity().peer, token: lease.token, nonce: Self.nonce, wantsProof: true)),
                from: source)
        else {
            Issue.record("another answer")
            return
        }
        func query(_ peer: PeerID) -> IndexRequest {
            .query(.init(text: "\(peer)", nonce: Self.nonce, wantsProof: true))
        }
        #expect(
            try ask(query(peer.peer), from: .loopback(1))
                == .answer(
                    address: source, text: "\(peer.peer)", record: record))
        let stranger = Identity().peer
        #expect(
            try ask(query(stranger), from: .loopback(1)) == .answer(address: nil, text: "\(stranger)", record: nil))
    }

    @Test func `the largest record and its proof fit a query`() throws {
        var index = IndexHarness(identity: server)
        let wide = (0..<8).map { Candidate(.reflexive, Endpoint(address: .v6(.max >> 3, UInt64($0)), port: 65_535)) }
        let record = try PeerRecord(key: peer.key, sequence: UInt64(index.wall.milliseconds), candidates: wide)
            .signed(by: peer)
        _ = try index.register(peer.peer, record: record, from: wide[3].endpoint)
        let query = IndexRequest.query(.init(text: "\(peer.peer)", nonce: Self.nonce, wantsProof: true)).encoded()
        let outcome = index.send(query, from: .loopback(1))
        #expect(
            try proven(outcome) == .answer(address: wide[3].endpoint, text: "\(peer.peer)", record: record))
        #expect((outcome.reply?.count ?? 0) <= query.count && query.count <= WireLimits.seedDatagram)
    }

    @Test func `nothing is proven unasked, without a nonce, without a key, or beyond what was sent`() throws {
        var index = IndexHarness(identity: server)
        let text = "\(Identity().peer)"
        let nonce = #""nonce":"\#(Self.nonce)""#
        let head = #"{"req_type":"query","queried_uuid":"\#(text)""#
        let pad = #""pad":"\#(String(repeating: "0", count: 800))""#
        for query in [
            "\(head)}", "\(head),\(nonce),\(pad)}", #"\#(head),\#(nonce),"prove":false,\#(pad)}"#,
            #"\#(head),\#(nonce),"prove":"true",\#(pad)}"#, #"\#(head),"prove":true,\#(pad)}"#,
            #"\#(head),\#(nonce),"prove":true}"#,
        ] {
            let reply = try #require(index.send(query).reply)
            #expect(try IndexAnswer(parsing: reply).proof == nil, "\(query)")
            #expect(reply.count <= query.utf8.count + 17)
        }
        #expect(
            try proven(index.send(#"\#(head),\#(nonce),"prove":true,\#(pad)}"#))
                == .answer(
                    address: nil, text: text, record: nil))
        var keyless = IndexHarness()
        let reply = try #require(keyless.send(#"\#(head),\#(nonce),"prove":true,\#(pad)}"#).reply)
        #expect(try IndexAnswer(parsing: reply).proof == nil)
    }

    @Test func `no two answers have one statement`() {
        let lease = IndexReply.Lease(token: [1], seconds: 1, boot: "b", seen: .loopback(1))
        let other = IndexReply.Lease(token: [1], seconds: 11, boot: "b", seen: .loopback(1))
        let replies: [IndexReply] = [
            .registered(uuid: peer.peer, lease: nil), .registered(uuid: peer.peer, lease: lease),
            .registered(uuid: peer.peer, lease: other), .cookie([1], seen: .loopback(1)),
            .cookie([1, 2], seen: .loopback(1)), .answer(address: nil, text: "x", record: nil),
            .answer(address: .loopback(1), text: "x", record: nil), .answer(address: nil, text: "nilx", record: nil),
            .answer(address: nil, text: "x", record: [0]), .invalidID, .alive(boot: "b", leaseSeconds: 1),
            .alive(boot: "b1", leaseSeconds: 1), .unknown(boot: "b", spreadSeconds: 1),
            .moved(boot: "b", seen: .loopback(1)), .moved(boot: "b", seen: .loopback(2)), .failed(reason: ""),
            .failed(reason: "b"),
        ]
        let statements = replies.map { $0.statement(nonce: "n") } + replies.map { $0.statement(nonce: "m") }
        #expect(Set(statements).count == 2 * replies.count)
    }

    @Test func `a server shows its key`() throws {
        var index = IndexHarness(identity: server)
        let key = index.snapshot().server.key
        #expect(key == server.key.text)
        #expect(key.flatMap { PeerKey(text: $0) } == server.key)
        #expect(PeerKey(text: server.key.hex) == server.key)
        let json = index.snapshot().json
        #expect(try IndexSnapshot(json: json).server.key == key)
    }
}
