// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Testing
import Wire

struct AmplificationTests {
    private static let nonce = "0123456789abcdef"
    /// The longest text that an address has.
    private static let longest = Endpoint(address: .v6(.max >> 3, .max), port: 65_535)

    @Test func `no unproven source gets more than it sent`() throws {
        for source in [Endpoint.loopback(9), Self.longest] {
            for nonce in [nil, Self.nonce] {
                var index = IndexHarness()
                let identity = Identity()
                let record = try index.record(identity, at: source)
                #expect(try index.register(identity.peer, record: record, from: source) != nil)
                let requests: [IndexRequest] = [
                    .registration(
                        .init(address: source, signed: .init(peer: identity.peer, record: record), nonce: nonce)),
                    .registration(
                        .init(address: source, signed: .init(peer: identity.peer, record: [1]), nonce: nonce)),
                    .keepalive(.init(peer: identity.peer, token: [UInt8](repeating: 1, count: 16), nonce: nonce)),
                    .keepalive(.init(peer: identity.peer, token: [], nonce: nonce)),
                    .query(.init(text: "\(identity.peer)", nonce: Self.nonce)),
                ]
                for request in requests {
                    let bytes = request.encoded()
                    let outcome = index.send(bytes, from: source)
                    #expect((outcome.reply?.count ?? 0) <= bytes.count, "\(request)")
                }
            }
        }
    }

    @Test func `the seed's own answers are at most 17 bytes larger for IPv4`() throws {
        var index = IndexHarness()
        let address = try #require(Endpoint("203.203.203.203:65535"))
        guard case .registered(let uuid, _)? = try index.ask(.registration(.init(address: address)), from: .loopback(9))
        else {
            Issue.record("refused")
            return
        }
        let requests = [
            #"{"req_type":"query"}"#, #"{"req_type":"query","queried_uuid":""}"#,
            #"{"req_type":"query","queried_uuid":"\#(uuid)"}"#,
            #"{"req_type":"query","queried_uuid":"\u0001\u0002\n\/\"é"}"#,
            #"{"req_type":"registration","addr":"1.1.1.1:1"}"#,
            #"{"req_type":"registration","addr":"1.1.1.1:1","nonce":"\#(Self.nonce)"}"#,
        ]
        for request in requests {
            let outcome = index.send(request)
            #expect((outcome.reply?.count ?? 0) <= request.utf8.count + 17, "\(request)")
        }
    }

    @Test func `a registered IPv6 address of full length is still told to the seed's programs`() throws {
        var index = IndexHarness()
        guard
            case .registered(let uuid, _)? = try index.ask(
                .registration(.init(address: Self.longest)), from: .loopback(9))
        else {
            Issue.record("refused")
            return
        }
        let query = IndexRequest.query(.init(text: "\(uuid)")).encoded()
        let reply = try #require(index.send(query, from: .loopback(9)).reply)
        #expect(reply.count <= query.count + 33)
        #expect(try IndexReply.parse(reply).reply == .answer(address: Self.longest, text: "\(uuid)", record: nil))
    }

    @Test func `only a padded query gets the record`() throws {
        var index = IndexHarness()
        let identity = Identity()
        let record = try index.record(identity, at: .loopback(7))
        _ = try index.register(identity.peer, record: record, from: .loopback(7))
        let bare = try index.ask(.query(.init(text: "\(identity.peer)")), from: .loopback(9))
        #expect(bare == .answer(address: .loopback(7), text: "\(identity.peer)", record: nil))
        let padded = try index.ask(.query(.init(text: "\(identity.peer)", nonce: Self.nonce)), from: .loopback(9))
        #expect(padded == .answer(address: .loopback(7), text: "\(identity.peer)", record: record))
    }

    @Test func `the largest record fits a padded query`() throws {
        var index = IndexHarness()
        let identity = Identity()
        let wide = (0..<8).map { Candidate(.reflexive, Endpoint(address: .v6(.max >> 3, UInt64($0)), port: 65_535)) }
        let source = wide[3].endpoint
        let record = try PeerRecord(
            key: identity.key, sequence: UInt64(index.wall.milliseconds), candidates: wide
        ).signed(by: identity)
        #expect(try index.register(identity.peer, record: record, from: source) != nil)
        let query = IndexRequest.query(.init(text: "\(identity.peer)", nonce: Self.nonce)).encoded()
        let reply = try #require(index.send(query, from: .loopback(9)).reply)
        guard case .answer(_, _, let told) = try IndexReply.parse(reply).reply else {
            Issue.record("another answer")
            return
        }
        #expect(told == record)
        #expect(reply.count <= query.count)
    }
}
