// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Wire

private let bob = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
private let token = "AAECAwQFBgcICQoLDA0ODw"

/// The scan in words, with the ranges as the text that they hold.
private func scan(_ datagram: String) -> String? {
    let bytes = Array(datagram.utf8)
    func text(_ range: Range<Int>?) -> String { range.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "-" }
    switch ScannedRequest.scan(bytes.span) {
    case .query(let asked, let peer, let nonce, let wantsProof):
        return "query \(text(asked)) \(peer) \(text(nonce)) \(wantsProof)"
    case .seedRegistration(let address, let nonce): return "seed \(address) \(text(nonce))"
    case .keepalive(let peer, let token, let nonce, let wantsProof):
        return "keepalive \(peer) \(PeerID(high: token.0, low: token.1)) \(text(nonce)) \(wantsProof)"
    case .noRequest: return "no request"
    case nil: return nil
    }
}

@Suite struct `A scan of a datagram` {
    @Test(arguments: [
        (#"{"req_type":"query","queried_uuid":"\#(bob)"}"#, "query \(bob) \(bob) - false"),
        (
            " {\r\n\t\"queried_uuid\" : \"\(bob.uppercased())\" ,\n\"req_type\": \"query\" }\n",
            "query \(bob.uppercased()) \(bob) - false"
        ),
        (#"{"req_type":"query","queried_uuid":"\#(bob)","nonce":"n","prove":true}"#, "query \(bob) \(bob) n true"),
        (#"{"req_type":"query","queried_uuid":"\#(bob)","prove":true}"#, "query \(bob) \(bob) - false"),
        (
            #"{"req_type":"query","queried_uuid":"\#(bob)","nonce":"0123456789abcdef"}"#,
            "query \(bob) \(bob) 0123456789abcdef false"
        ),
        (
            #"{"req_type":"query","queried_uuid":"\#(bob)","nonce":"0123456789abcdefg","prove":true}"#,
            "query \(bob) \(bob) - false"
        ),
        (
            #"{"a":-0,"b":7,"c":null,"d":false,"e":"","":"\#(String(repeating: "0", count: 700))","req_type":"query","#
                + #""queried_uuid":"\#(bob)"}"#,
            "query \(bob) \(bob) - false"
        ),
        (#"{"req_type":"registration","addr":"1.2.3.4:5"}"#, "seed 1.2.3.4:5 -"),
        (
            #"{"req_type":"registration","addr":"[2001:db8::7]:50001","nonce":"n","prove":true,"uuid":"x"}"#,
            "seed [2001:db8::7]:50001 n"
        ),
        (
            #"{"req_type":"keepalive","uuid":"\#(bob)","token":"\#(token)","nonce":"n"}"#,
            "keepalive \(bob) 00010203-0405-0607-0809-0a0b0c0d0e0f n false"
        ),
    ])
    func `reads what clients send`(datagram: String, meaning: String) { #expect(scan(datagram) == meaning) }

    @Test(arguments: [
        "", " ", "[1]", "\"query\"", "7", "x", "\u{FEFF}{}", "{", "{}", "{} {}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#,
        #"{"a":1 "b":2}"#, #"{"a":01}"#, #"{"a":-}"#, #"{"a":tru}"#, #"{"a":nulll}"#, "{\"a\":\"\n\"}", #"{"a":"b"#,
        #"{"req_type":"status"}"#, #"{"req_type":1}"#, #"{"req_type":null,"addr":"1.2.3.4:5"}"#,
    ])
    func `tells what is no request`(datagram: String) { #expect(scan(datagram) == "no request") }

    @Test(arguments: [
        #"{"req_type":"query","queried_uuid":"x"}"#, #"{"req_type":"query"}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","queried_uuid":"\#(bob)"}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","nonce":"\u006e"}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","nonce":"ü"}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","x":[]}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","x":{}}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","x":1.5}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","x":1e9}"#,
        #"{"req_type":"query","queried_uuid":"\#(bob)","x":1234567890123456789}"#,
        #"{"req_type":"registration"}"#, #"{"req_type":"registration","addr":"1.2.3.4:0"}"#,
        #"{"req_type":"registration","addr":"1.2.3.4:5","uuid":"\#(bob)","record":"AQID"}"#,
        #"{"req_type":"registration","addr":"1.2.3.4:5","record":null}"#,
        #"{"req_type":"keepalive","uuid":"\#(bob)","token":"AQID"}"#, #"{"req_type":"keepalive","uuid":"\#(bob)"}"#,
        #"{"req_type":"keepalive","uuid":"\#(bob)","token":"\#(token.dropLast())x"}"#,
    ])
    func `leaves the rest to the full decoder`(datagram: String) { #expect(scan(datagram) == nil) }

    /// Every byte at every place of a string, so that no lane of the scan eight at a time is blind.
    @Test(arguments: 0..<24)
    func `sees a byte that ends or forbids a string wherever it stands`(place: Int) {
        for byte in UInt8.min...UInt8.max {
            var pad = [UInt8](repeating: UInt8(ascii: "~"), count: 24)
            pad[place] = byte
            let bytes =
                Array(#"{"pad":""#.utf8) + pad + Array(#"","req_type":"query","queried_uuid":"\#(bob)"}"#.utf8)
            let isPlain = (0x20...0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            if case .query = ScannedRequest.scan(bytes.span) { #expect(isPlain) } else { #expect(!isPlain) }
        }
    }
}
