// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Wire

@Suite struct `A request to an index server` {
    @Test(arguments: Samples.requests.indices)
    func `is these bytes, and these bytes are it`(index: Int) throws {
        let (request, golden) = Samples.requests[index]
        #expect(text(request.encoded()) == golden)
        #expect(try IndexRequest(parsing: Array(golden.utf8)) == request)
    }

    @Test func `is read from the files of the first programs`() throws {
        let registration = """
            {
                "req_type": "registration",
                "addr": "127.0.0.1:50001"
            }

            """
        let query = """
            {
                "req_type": "query",
                "queried_uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7"
            }

            """
        #expect(
            try IndexRequest(parsing: Array(registration.utf8)) == .registration(.init(address: .loopback(50_001))))
        #expect(try IndexRequest(parsing: Array(query.utf8)) == .query(.init(text: "\(Samples.bob)")))
    }

    @Test(arguments: [
        "", "{", "null", "[]", #""query""#, "{}", #"{"req_type":1}"#, #"{"req_type":null}"#, #"{"req_type":"Query"}"#,
        #"{"req_type":"status"}"#, #"{"req_type":["query"],"queried_uuid":"x"}"#,
        #"{"req_type":"query","req_type":1,"queried_uuid":"x"}"#,
        #"{"status":"OK","uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#,
    ])
    func `is not answered without a known kind`(datagram: String) {
        #expect {
            try IndexRequest(parsing: Array(datagram.utf8))
        } throws: { error in
            if case .silent? = error as? IndexRequest.Refusal { true } else { false }
        }
    }

    @Test(arguments: [
        #"{"req_type":"query"}"#, #"{"req_type":"query","queried_uuid":null}"#,
        #"{"req_type":"query","queried_uuid":17,"nonce":"n"}"#,
    ])
    func `for nobody has an answer of its own`(datagram: String) {
        #expect(throws: IndexRequest.Refusal.queryWithoutID) { try IndexRequest(parsing: Array(datagram.utf8)) }
    }

    @Test(arguments: [
        (#"{"req_type":"registration"}"#, "addr"),
        (#"{"req_type":"registration","addr":7}"#, "addr"),
        (#"{"req_type":"registration","addr":"localhost:50001"}"#, "addr"),
        (#"{"req_type":"registration","addr":"127.0.0.1:0"}"#, "addr"),
        (#"{"req_type":"registration","addr":"127.0.0.1:65536"}"#, "addr"),
        (#"{"req_type":"registration","addr":"127.0.0.1:1","record":"AQ"}"#, "uuid"),
        (#"{"req_type":"registration","addr":"127.0.0.1:1","uuid":"x","record":"AQ"}"#, "uuid"),
        (#"{"req_type":"registration","addr":"127.0.0.1:1","uuid":"\#(Samples.alice)","record":1}"#, "record"),
        (#"{"req_type":"registration","addr":"127.0.0.1:1","uuid":"\#(Samples.alice)","record":"A"}"#, "record"),
        (#"{"req_type":"keepalive","token":"AQ"}"#, "uuid"),
        (#"{"req_type":"keepalive","uuid":"\#(Samples.alice)"}"#, "token"),
        (#"{"req_type":"keepalive","uuid":"\#(Samples.alice)","token":"=="}"#, "token"),
    ])
    func `names the member that is unusable`(datagram: String, member: String) {
        #expect(throws: IndexRequest.Refusal.malformed(member: member, nonce: nil)) {
            try IndexRequest(parsing: Array(datagram.utf8))
        }
    }

    @Test func `ignores what it does not know, and an identity without a record`() throws {
        let datagram = #"{"addr":"127.0.0.1:1","x":[{}],"uuid":"\#(Samples.alice)","req_type":"registration"}"#
        #expect(
            try IndexRequest(parsing: Array(datagram.utf8)) == .registration(.init(address: .loopback(1))))
    }

    @Test(arguments: [(16, true), (17, false)])
    func `has a nonce of at most 16 bytes echoed`(count: Int, isKept: Bool) throws {
        let nonce = String(repeating: "n", count: count)
        let request = IndexRequest.query(.init(text: "x", nonce: nonce)).encoded()
        #expect(try IndexRequest(parsing: request) == .query(.init(text: "x", nonce: isKept ? nonce : nil)))
    }

    @Test(arguments: [(383, true), (384, true), (385, false)])
    func `carries a record of at most 384 octets`(count: Int, fits: Bool) throws {
        let signed = IndexRequest.Signed(peer: Samples.alice, record: [UInt8](repeating: 1, count: count))
        let request = IndexRequest.registration(.init(address: .loopback(1), signed: signed))
        if fits {
            #expect(try IndexRequest(parsing: request.encoded()) == request)
        } else {
            #expect(throws: IndexRequest.Refusal.malformed(member: "record", nonce: nil)) {
                try IndexRequest(parsing: request.encoded())
            }
        }
    }

    @Test(arguments: [(32, true), (33, false)])
    func `carries a token of at most 32 octets`(count: Int, fits: Bool) {
        let keepalive = IndexRequest.Keepalive(peer: Samples.alice, token: [UInt8](repeating: 1, count: count))
        let read = try? IndexRequest(parsing: IndexRequest.keepalive(keepalive).encoded())
        #expect(read == (fits ? .keepalive(keepalive) : nil))
    }

    @Test func `fits 1,024 bytes when everything in it is as long as can be`() {
        let signed = IndexRequest.Signed(
            peer: Samples.alice, record: [UInt8](repeating: 0xFF, count: WireLimits.record),
            cookie: [UInt8](repeating: 0xFF, count: 16))
        let request = IndexRequest.registration(
            .init(address: Samples.longest, signed: signed, nonce: String(repeating: "n", count: 16)))
        #expect(request.encoded().count <= WireLimits.seedDatagram)
    }

    @Test(arguments: [Samples.alice, Samples.bob], ["", "n", "0123456789abcdef"])
    func `is padded to 704 bytes when it asks for a record`(peer: PeerID, nonce: String) {
        #expect(IndexRequest.query(.init(text: "\(peer)", nonce: nonce)).encoded().count == WireLimits.paddedQuery)
    }

    @Test func `is padded to as much as the longest answer has`() {
        let answer = IndexReply.answer(
            address: Samples.longest, text: "\(Samples.alice)",
            record: [UInt8](repeating: 0xFF, count: WireLimits.record))
        #expect(answer.encoded(nonce: String(repeating: "n", count: 16)).count <= WireLimits.paddedQuery)
    }

    @Test(arguments: ["", "x", #"\""#, "\u{1}\u{7f}\t", "ü\u{2028}🙂", "7C9E6679-7425-40de-944b-E07FC1F90AE7"])
    func `gets its text back, never longer than it came`(queried: String) throws {
        let request = IndexRequest.query(.init(text: queried)).encoded()
        guard case .query(let query) = try IndexRequest(parsing: request) else {
            Issue.record("no query")
            return
        }
        #expect(Array(query.text.utf8) == Array(queried.utf8))
        let answer = IndexReply.answer(address: nil, text: query.text, record: nil).encoded()
        #expect(answer.count <= request.count + 17)
    }

    /// What the document promises about the only answers that may be larger than what was asked.
    @Test func `of the seed is a little shorter than its answer at most`() {
        let registration = IndexRequest.registration(.init(address: Endpoint(address: .v6(0, 0), port: 1))).encoded()
        #expect(IndexReply.registered(uuid: Samples.bob, lease: nil).encoded().count - registration.count == 18)
        #expect(IndexReply.invalidID.encoded().count - #"{"req_type":"query"}"#.utf8.count == 17)
        let query = IndexRequest.query(.init(text: "\(Samples.bob)")).encoded()
        let v4 = Endpoint(address: .v4(.max), port: .max)
        for (address, growth) in [(v4, 7), (Samples.longest, 33)] {
            let answer = IndexReply.answer(address: address, text: "\(Samples.bob)", record: nil).encoded()
            #expect(answer.count - query.count == growth)
        }
    }

    @Test func `finds an ID in either case`() {
        #expect(IndexRequest.Query(text: "7C9E6679-7425-40DE-944B-E07FC1F90AE7").peer == Samples.bob)
        #expect(IndexRequest.Query(text: "{7c9e6679-7425-40de-944b-e07fc1f90ae7}").peer == nil)
    }
}

@Suite struct `A reply of an index server` {
    @Test(arguments: Samples.replies.indices)
    func `is these bytes, and these bytes are it`(index: Int) throws {
        let (reply, nonce, golden) = Samples.replies[index]
        #expect(text(reply.encoded(nonce: nonce)) == golden)
        let read = try IndexReply.parse(Array(golden.utf8))
        #expect(read.reply == reply)
        #expect(read.nonce == nonce)
    }

    @Test(arguments: [
        ("{}", "status"),
        (#"{"status":"ok"}"#, "status"),
        (#"{"status":"OK"}"#, "boot"),
        (#"{"status":"OK","uuid":"x"}"#, "uuid"),
        (#"{"status":"OK","uuid":7}"#, "uuid"),
        (#"{"status":"OK","uuid":"\#(Samples.alice)","token":"="}"#, "token"),
        (#"{"status":"OK","uuid":"\#(Samples.alice)","token":"AQ","lease_s":-1}"#, "lease_s"),
        (#"{"status":"OK","uuid":"\#(Samples.alice)","token":"AQ","lease_s":1.5}"#, "lease_s"),
        (#"{"status":"OK","uuid":"\#(Samples.alice)","token":"AQ","lease_s":1,"boot":"b","seen":"1.2.3.4:0"}"#, "seen"),
        (#"{"status":"OK","boot":"b","lease_s":604801}"#, "lease_s"),
        (#"{"status":"cookie"}"#, "cookie"),
        (#"{"status":"cookie","cookie":"AQ","seen":"x"}"#, "seen"),
        (#"{"status":"unknown","boot":"b"}"#, "spread_s"),
        (#"{"status":"moved","boot":"b"}"#, "seen"),
        (#"{"status":"error","reason":7}"#, "reason"),
        (#"{"address":"nil"}"#, "uuid"),
        (#"{"address":"Nil","uuid":"x"}"#, "address"),
        (#"{"address":"1.2.3.4:0","uuid":"x"}"#, "address"),
        (#"{"address":"example.org:1","uuid":"x"}"#, "address"),
    ])
    func `names the member that is unusable`(datagram: String, member: String) {
        #expect(throws: WireError.badMember(member)) { try IndexReply.parse(Array(datagram.utf8)) }
    }

    @Test(arguments: [(64, true), (65, false)])
    func `makes a client keep at most 64 bytes of text`(count: Int, fits: Bool) {
        let reply = IndexReply.failed(reason: String(repeating: "r", count: count))
        #expect((try? IndexReply.parse(reply.encoded()))?.reply == (fits ? reply : nil))
    }

    @Test func `may be an error without a reason`() throws {
        #expect(try IndexReply.parse(Array(#"{"status":"error"}"#.utf8)).reply == .failed(reason: ""))
    }

    @Test func `has no record when that is unreadable`() throws {
        let datagram = #"{"address":"1.2.3.4:5","uuid":"x","record":"?"}"#
        let endpoint = Endpoint("1.2.3.4:5")
        #expect(
            try IndexReply.parse(Array(datagram.utf8)).reply == .answer(address: endpoint, text: "x", record: nil))
    }
}
