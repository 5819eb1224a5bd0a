// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Testing
import Wire

struct SeedWireTests {
    @Test func `a bare registration gets a random UUIDv4 and is found under it`() throws {
        var index = IndexHarness()
        let outcome = index.send(#"{"req_type":"registration","addr":"127.0.0.1:50001"}"#)
        #expect(outcome.event.result == .seed)
        guard case .registered(let uuid, nil) = try IndexReply.parse(try #require(outcome.reply)).reply else {
            Issue.record("no registration: \(text(outcome.reply) ?? "silence")")
            return
        }
        #expect(uuid.version == 4 && uuid.hasStandardVariant)
        #expect(text(outcome.reply) == #"{"status":"OK","uuid":"\#(uuid)"}"#)

        let upper = "\(uuid)".uppercased()
        let found = index.send(#"{"req_type":"query","queried_uuid":"\#(upper)"}"#)
        #expect(text(found.reply) == #"{"address":"127.0.0.1:50001","uuid":"\#(upper)"}"#)
        #expect(found.event.result == .hit)
    }

    @Test(arguments: [
        (
            #"{"req_type":"query","queried_uuid":"00000000-0000-4000-8000-000000000000"}"#,
            #"{"address":"nil","uuid":"00000000-0000-4000-8000-000000000000"}"#, "miss"
        ),
        (
            #"{"req_type":"query","queried_uuid":"no\u001bsuch"}"#, #"{"address":"nil","uuid":"no\u001bsuch"}"#,
            "invalid"
        ),
        (#"{"req_type":"query","queried_uuid":""}"#, #"{"address":"nil","uuid":""}"#, "invalid"),
        (#"{"req_type":"query"}"#, #"{"address":"nil","id":"invalid_uuid"}"#, "invalid"),
        (#"{"req_type":"query","queried_uuid":7}"#, #"{"address":"nil","id":"invalid_uuid"}"#, "invalid"),
        (#"{"req_type":"query","queried_uuid":null}"#, #"{"address":"nil","id":"invalid_uuid"}"#, "invalid"),
        (
            #"{"req_type":"registration","addr":"nowhere at all, really"}"#,
            #"{"status":"error","reason":"malformed addr"}"#, "malformed"
        ),
        (
            #"{"req_type":"registration","addr":"224.0.0.1:500"}"#,
            #"{"status":"error","reason":"bad_address"}"#, "bad_address"
        ),
        (#"{"req_type":"registration"}"#, #"{"status":"error"}"#, "malformed"),
        (#"{"req_type":"keepalive"}"#, #"{"status":"error"}"#, "malformed"),
    ])
    func `every known request form has its answer`(request: String, reply: String, word: String) {
        var index = IndexHarness()
        let outcome = index.send(request)
        #expect(text(outcome.reply) == reply)
        #expect(outcome.event.result.word == word)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "7", "\"query\"", "{}", #"{"req_type":7}"#, #"{"req_type":null}"#, #"{"req_type":""}"#,
        #"{"req_type":"OK"}"#, #"{"req_type":"Query","queried_uuid":"x"}"#, #"{"status":"OK","uuid":"x"}"#,
        #"{"address":"nil","id":"invalid_uuid"}"#, #"{"status":"error","reason":"x"}"#,
        #"{"src_uuid":"a","dst_uuid":"b","data":"hi\n","creation_time":"0"}"#, "\u{0}\u{1}\u{2}",
    ])
    func `what is no request is never answered`(datagram: String) {
        var index = IndexHarness()
        let outcome = index.send(datagram)
        #expect(outcome.reply == nil)
        #expect(outcome.event.result == .ignored)
    }

    @Test func `no answer of ours is ever answered`() throws {
        var index = IndexHarness()
        let lease = IndexReply.Lease(token: [1], seconds: 1, boot: "b", seen: .loopback(1))
        let peer = PeerID(high: 1, low: 2)
        let replies: [IndexReply] = [
            .registered(uuid: peer, lease: nil), .registered(uuid: peer, lease: lease),
            .cookie([1, 2], seen: .loopback(1)), .answer(address: nil, text: "x", record: nil), .invalidID,
            .alive(boot: "b", leaseSeconds: 1), .unknown(boot: "b", spreadSeconds: 1),
            .moved(boot: "b", seen: .loopback(1)),
            .failed(reason: "x"),
        ]
        for reply in replies { #expect(index.send(reply.encoded(), from: .loopback(9)).reply == nil) }
    }

    @Test func `a wildcard address becomes the source's`() throws {
        var index = IndexHarness()
        let source = try #require(Endpoint("192.0.2.7:40000"))
        let reply = try index.ask(.registration(.init(address: try #require(Endpoint("0.0.0.0:50001")))), from: source)
        guard case .registered(let uuid, _)? = reply else {
            Issue.record("refused")
            return
        }
        let answer = try index.ask(.query(.init(text: "\(uuid)")), from: source)
        #expect(answer == .answer(address: Endpoint("192.0.2.7:50001"), text: "\(uuid)", record: nil))
    }
}
