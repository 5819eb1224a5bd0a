// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing
import Wire

@Suite struct `What peers behind routers ask of a server` {
    @Test(arguments: Samples.reachingRequests.indices)
    func `is these bytes, and these bytes are it`(index: Int) throws {
        let (request, golden) = Samples.reachingRequests[index]
        #expect(text(request.encoded()) == golden)
        #expect(try IndexRequest(parsing: Array(golden.utf8)) == request)
    }

    @Test(arguments: Samples.reachingReplies.indices)
    func `is answered by these bytes`(index: Int) throws {
        let (reply, nonce, golden) = Samples.reachingReplies[index]
        #expect(text(reply.encoded(nonce: nonce)) == golden)
        let answer = try IndexAnswer(parsing: Array(golden.utf8))
        #expect(answer == IndexAnswer(reply, nonce: nonce))
    }

    @Test(arguments: [
        ("uuid", #""x""#), ("token", "7"), ("token", #""!""#), ("to", #""bob""#), ("reference", #""AQID""#),
        ("reference", "1"),
    ])
    func `names the member that is unusable`(member: String, value: String) throws {
        var members = [
            "uuid": "\"\(Samples.alice)\"", "token": #""AQID""#, "to": "\"\(Samples.bob)\"",
            "reference": #""AQIDBAUGBwg""#,
        ]
        members[member] = value
        let rest = members.map { "\"\($0)\":\($1)" }.sorted().joined(separator: ",")
        let datagram = #"{"req_type":"call","nonce":"n","# + rest + "}"
        #expect(throws: IndexRequest.Refusal.malformed(member: member, nonce: "n")) {
            try IndexRequest(parsing: Array(datagram.utf8))
        }
    }

    @Test func `is not told its address without a nonce to echo`() {
        #expect(throws: IndexRequest.Refusal.silent(.notARequest)) {
            try IndexRequest(parsing: Array(#"{"req_type":"seen"}"#.utf8))
        }
    }

    @Test func `is never told its address by more bytes than it sent`() {
        let question = IndexRequest.seen(nonce: String(repeating: "n", count: 16)).encoded()
        let answer = IndexReply.seen(Samples.longest).encoded(nonce: String(repeating: "n", count: 16))
        #expect(question.count == WireLimits.paddedSeen && answer.count <= question.count)
    }

    @Test(arguments: ["0", "-1", "65536", "true", #""9""#])
    func `has no second port that is none`(port: String) throws {
        let datagram = #"{"status":"cookie","cookie":"AQID","seen":"127.0.0.1:1","relay":1,"second":"# + port + "}"
        guard case .cookie(_, _, let offers) = try IndexReply.parse(Array(datagram.utf8)).reply else {
            return #expect(Bool(false))
        }
        #expect(offers == ServerOffers())
    }
}

@Suite struct `A call that a server tells of` {
    private let call = IndexNotice.call(
        .init(
            caller: Samples.alice, address: .loopback(9), record: Samples.octets, reference: 7,
            channel: RelayChannel(8)))

    private func read(_ bytes: [UInt8]) -> IndexNotice? {
        (try? JSONObject(parsing: bytes)).flatMap { IndexNotice($0) }
    }

    @Test func `is these bytes, and these bytes are it`() {
        let golden =
            #"{"call":"1d42741a-e9cf-8815-8140-d20c71a4a32b","address":"127.0.0.1:9","reference":"AAAAAAAAAAc","#
            + #""record":"-_--AAECAwQFBg","channel":"AAAAAAAAAAg"}"#
        #expect(text(call.encoded()) == golden)
        #expect(read(Array(golden.utf8)) == call)
    }

    @Test func `may hide the address, and lack a record and a channel`() {
        let bare = IndexNotice.call(.init(caller: Samples.bob, address: nil, record: nil, reference: .max))
        #expect(read(bare.encoded()) == bare)
    }

    @Test func `fits its limit with the longest record`() {
        let address = Endpoint(address: .v6(0x2FFF_FFFF_FFFF_FFFF, .max), port: 65_535)
        let longest = IndexNotice.call(
            .init(
                caller: Samples.alice, address: address, record: [UInt8](repeating: 255, count: 384),
                reference: .max, channel: RelayChannel(.max)))
        #expect(longest.encoded().count <= IndexNotice.sizeLimit && read(longest.encoded()) == longest)
    }

    @Test(arguments: [
        "{}", #"{"call":"alice","reference":"AAAAAAAAAAc"}"#,
        #"{"call":"1d42741a-e9cf-8815-8140-d20c71a4a32b"}"#,
        #"{"call":"1d42741a-e9cf-8815-8140-d20c71a4a32b","reference":"AAAA"}"#,
        #"{"status":"OK","reference":"AAAAAAAAAAc"}"#,
        #"{"call":"1d42741a-e9cf-8815-8140-d20c71a4a32b","reference":"AAAAAAAAAAc","record":""#
            + String(repeating: "A", count: 514) + #""}"#,
    ])
    func `is none without a caller, a reference, or with too long a record`(datagram: String) {
        #expect(read(Array(datagram.utf8)) == nil)
    }

    @Test(arguments: ["0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "127.0.0.1:0", "[ff02::1]:9", "x"])
    func `has no address that nothing may be sent to`(address: String) {
        let datagram =
            #"{"call":"1d42741a-e9cf-8815-8140-d20c71a4a32b","reference":"AAAAAAAAAAc","address":""# + address + #""}"#
        guard case .call(let call)? = read(Array(datagram.utf8)) else { return #expect(Bool(false)) }
        #expect(call.address == nil)
    }

    @Test func `is read or refused after any mutation, and what is read is written the same`() {
        let valid = call.encoded()
        var chance = SplitMix64(seed: 0xCA11)
        var accepted = 0
        for _ in 0..<50_000 {
            var bytes = valid
            for _ in 0...Int.random(in: 0...2, using: &chance) {
                bytes[Int.random(in: bytes.indices, using: &chance)] = UInt8.random(in: 0...255, using: &chance)
            }
            guard let notice = read(bytes) else { continue }
            accepted += 1
            if read(notice.encoded()) != notice { Issue.record("\(text(bytes))") }
        }
        #expect((500..<50_000).contains(accepted))
    }
}

@Suite struct `Addresses told inside a session` {
    private func candidates(_ count: Int) -> [Endpoint] { (1...count).map { .loopback(UInt16($0)) } }

    @Test func `are eight at most, those that routers opened first`() {
        let many = SessionFrame.Candidates(host: candidates(9), reflexive: [Samples.v6], mapped: candidates(2))
        guard case .frame(.candidates(let read)) = SessionFrame.read(SessionFrame.candidates(many).encoded()) else {
            return #expect(Bool(false))
        }
        #expect(read.mapped.count == 2 && read.reflexive.count == 1 && read.host.count == 5)
    }

    @Test(arguments: [
        #""host":7"#, #""host":{}"#, #""reflexive":"127.0.0.1:1""#,
        #""mapped":["1.1.1.1:1","1.1.1.1:2","1.1.1.1:3","1.1.1.1:4","1.1.1.1:5","1.1.1.1:6","1.1.1.1:7","1.1.1.1:8","1.1.1.1:9"]"#,
    ])
    func `are refused as something else than a short list`(member: String) {
        guard case .faulty(.badMember, nil) = SessionFrame.read(Array((#"{"type":"candidates","# + member + "}").utf8))
        else { return #expect(Bool(false)) }
    }

    @Test func `pass over what is no address`() {
        let text = #"{"type":"candidates","host":["x",7,"255.255.255.255:1","1.2.3.4:5"]}"#
        #expect(
            SessionFrame.read(Array(text.utf8))
                == .frame(.candidates(.init(host: [Endpoint(address: .v4(0x0102_0304), port: 5)]))))
    }

    @Test(arguments: [#""round":0,"answer":true"#, #""round":4,"answer":true"#, #""round":1"#, #""answer":true"#])
    func `know rounds one to three`(members: String) {
        guard case .faulty(.badMember, nil) = SessionFrame.read(Array((#"{"type":"punch","# + members + "}").utf8))
        else { return #expect(Bool(false)) }
    }
}

@Suite struct `A stream of datagrams` {
    @Test func `gives back what went in, wherever it is cut`() throws {
        let datagrams = [[1], [UInt8](repeating: 2, count: 2048), [3, 4], [UInt8](repeating: 5, count: 700)]
        let stream = datagrams.flatMap { StreamFraming.frame($0) ?? [] }
        #expect(stream.count == datagrams.reduce(0) { $0 + $1.count + StreamFraming.header })
        for size in [1, 2, 3, 7, 100, 1500, 5000] {
            var framing = StreamFraming()
            var read: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                framing.append(stream[start..<min(start + size, stream.count)])
                while let next = try framing.next() { read.append(next) }
                #expect(framing.pending < 2050)
            }
            #expect(read == datagrams && framing.pending == 0)
        }
    }

    @Test func `holds nothing empty and nothing longer than a datagram`() {
        #expect(StreamFraming.frame([]) == nil)
        #expect(StreamFraming.frame([UInt8](repeating: 0, count: 2049)) == nil)
        for header: [UInt8] in [[0, 0], [8, 1], [255, 255]] {
            var framing = StreamFraming()
            framing.append(header)
            #expect(throws: StreamFraming.Fault.self) { try framing.next() }
        }
    }
}
