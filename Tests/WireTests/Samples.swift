// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

/// Every kind of datagram, and the bytes that it is on the wire.
enum Samples {
    static let alice = PeerID(high: 0x1D42_741A_E9CF_8815, low: 0x8140_D20C_71A4_A32B)
    static let bob = PeerID(high: 0x7C9E_6679_7425_40DE, low: 0x944B_E07F_C1F9_0AE7)
    static let v6 = Endpoint(address: .v6(0x2001_0DB8_0000_0000, 7), port: 50_001)
    static let longest = Endpoint(address: .v6(.max, .max), port: 65_535)
    /// Ten octets that use both characters in which the URL alphabet differs.
    static let octets: [UInt8] = [0xFB, 0xFF, 0xBE, 0, 1, 2, 3, 4, 5, 6]

    static let requests: [(IndexRequest, String)] = [
        (
            .registration(.init(address: .loopback(50_001))),
            #"{"req_type":"registration","addr":"127.0.0.1:50001"}"#
        ),
        (
            .registration(.init(address: v6)),
            #"{"req_type":"registration","addr":"[2001:db8::7]:50001"}"#
        ),
        (
            .registration(.init(address: .loopback(50_001), signed: .init(peer: alice, record: octets), nonce: "n1")),
            #"{"req_type":"registration","addr":"127.0.0.1:50001","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","#
                + #""record":"-_--AAECAwQFBg","nonce":"n1"}"#
        ),
        (
            .registration(
                .init(
                    address: .loopback(50_001), signed: .init(peer: alice, record: octets, cookie: [1, 2, 3]),
                    nonce: "n1")),
            #"{"req_type":"registration","addr":"127.0.0.1:50001","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","#
                + #""record":"-_--AAECAwQFBg","cookie":"AQID","nonce":"n1"}"#
        ),
        (
            .query(.init(text: "7c9e6679-7425-40de-944b-e07fc1f90ae7")),
            #"{"req_type":"query","queried_uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#
        ),
        (
            .query(.init(text: "7c9e6679-7425-40de-944b-e07fc1f90ae7", nonce: "n2")),
            #"{"req_type":"query","queried_uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7","nonce":"n2","pad":""#
                + String(repeating: "0", count: 608) + #""}"#
        ),
        (
            .keepalive(.init(peer: alice, token: octets, nonce: "n3")),
            #"{"req_type":"keepalive","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","token":"-_--AAECAwQFBg","#
                + #""nonce":"n3"}"#
        ),
    ]

    /// What was added for peers behind routers.
    static let reachingRequests: [(IndexRequest, String)] = [
        (
            .call(.init(caller: alice, token: octets, callee: bob, reference: 0x0102_0304_0506_0708, nonce: "n4")),
            #"{"req_type":"call","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","token":"-_--AAECAwQFBg","#
                + #""to":"7c9e6679-7425-40de-944b-e07fc1f90ae7","reference":"AQIDBAUGBwg","nonce":"n4"}"#
        ),
        (
            .seen(nonce: "n5"),
            #"{"req_type":"seen","nonce":"n5","pad":""# + String(repeating: "0", count: 87) + #""}"#
        ),
    ]

    static let reachingReplies: [(IndexReply, nonce: String?, String)] = [
        (
            .registered(
                uuid: alice,
                lease: .init(
                    token: [1, 2, 3], seconds: 7200, boot: "b0", seen: v6,
                    offers: .init(relays: true, secondPort: 50_009))), "n1",
            #"{"status":"OK","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","token":"AQID","lease_s":7200,"#
                + #""boot":"b0","seen":"[2001:db8::7]:50001","relay":true,"second":50009,"nonce":"n1"}"#
        ),
        (
            .cookie(octets, seen: .loopback(50_001), offers: .init(relays: true)), "n1",
            #"{"status":"cookie","cookie":"-_--AAECAwQFBg","seen":"127.0.0.1:50001","relay":true,"nonce":"n1"}"#
        ),
        (
            .calling(channel: RelayChannel(0xFF)), "n4",
            #"{"status":"calling","channel":"AAAAAAAAAP8","nonce":"n4"}"#
        ),
        (.calling(channel: nil), "n4", #"{"status":"calling","nonce":"n4"}"#),
        (.absent, "n4", #"{"status":"absent","nonce":"n4"}"#),
        (.seen(v6), "n5", #"{"status":"seen","seen":"[2001:db8::7]:50001","nonce":"n5"}"#),
    ]

    static let replies: [(IndexReply, nonce: String?, String)] = [
        (
            .registered(uuid: bob, lease: nil), nil,
            #"{"status":"OK","uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#
        ),
        (
            .registered(uuid: alice, lease: .init(token: [1, 2, 3], seconds: 7200, boot: "b0", seen: v6)), "n1",
            #"{"status":"OK","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","token":"AQID","lease_s":7200,"#
                + #""boot":"b0","seen":"[2001:db8::7]:50001","nonce":"n1"}"#
        ),
        (
            .cookie(octets, seen: .loopback(50_001)), "n1",
            #"{"status":"cookie","cookie":"-_--AAECAwQFBg","seen":"127.0.0.1:50001","nonce":"n1"}"#
        ),
        (
            .answer(address: .loopback(50_001), text: "7C9E6679-7425-40DE-944B-E07FC1F90AE7", record: nil), nil,
            #"{"address":"127.0.0.1:50001","uuid":"7C9E6679-7425-40DE-944B-E07FC1F90AE7"}"#
        ),
        (
            .answer(address: nil, text: #"who "\ is"#, record: nil), nil,
            #"{"address":"nil","uuid":"who \"\\ is"}"#
        ),
        (
            .answer(address: v6, text: "\(alice)", record: octets), "n2",
            #"{"address":"[2001:db8::7]:50001","uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","#
                + #""record":"-_--AAECAwQFBg","nonce":"n2"}"#
        ),
        (.invalidID, nil, #"{"address":"nil","id":"invalid_uuid"}"#),
        (
            .alive(boot: "b0", leaseSeconds: 7200), "n3",
            #"{"status":"OK","boot":"b0","lease_s":7200,"nonce":"n3"}"#
        ),
        (
            .unknown(boot: "b1", spreadSeconds: 20), "n3",
            #"{"status":"unknown","boot":"b1","spread_s":20,"nonce":"n3"}"#
        ),
        (
            .moved(boot: "b1", seen: .loopback(9)), "n3",
            #"{"status":"moved","boot":"b1","seen":"127.0.0.1:9","nonce":"n3"}"#
        ),
        (.failed(reason: "malformed addr"), nil, #"{"status":"error","reason":"malformed addr"}"#),
    ]

    static let messages: [(PeerMessage, String)] = [
        (
            PeerMessage(source: alice, destination: bob, text: "hello", created: nil),
            #"{"src_uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","dst_uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7","#
                + #""data":"hello\n","creation_time":"0"}"#
        ),
        (
            PeerMessage(
                source: bob, destination: alice, text: "two\nlines, \"ü\" and 🙂",
                created: WallTime(milliseconds: 1_764_000_000_123)),
            #"{"src_uuid":"7c9e6679-7425-40de-944b-e07fc1f90ae7","dst_uuid":"1d42741a-e9cf-8815-8140-d20c71a4a32b","#
                + #""data":"two\nlines, \"ü\" and 🙂\n","creation_time":"2025-11-24T16:00:00.123Z"}"#
        ),
    ]
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
