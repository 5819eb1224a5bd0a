// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

/// The short way through the machine decides like the long one. A member with an escape, which the scanner leaves to
/// the full decoder, sends a request the long way without making it longer.
struct ScannedTests {
    private static let (short, long) = (#""x":"AAAAAA""#, #""x":"\u0041""#)
    private let home = Endpoint.loopback(50_001)

    /// A server with one keyed and one seed peer; every call makes the same.
    private func server() throws -> (index: IndexHarness, seed: PeerID, token: [UInt8]) {
        var index = IndexHarness()
        guard case .registered(let seed, _)? = try index.ask(.registration(.init(address: home)), from: home),
            case .registered(_, let lease?)? = try index.register(
                Self.identity.peer, record: Self.record, from: home)
        else { throw Refused() }
        return (index, seed, lease.token)
    }

    private struct Refused: Error {}
    private static let identity = Identity()
    /// Signed once: signatures differ from one another.
    private static let record =
        (try? IndexHarness().record(identity, at: .loopback(50_001))) ?? []

    @Test func `both ways give the same answers, events and changes`() throws {
        var ((fast, seed, token), (slow, _, _)) = (try server(), try server())
        let stranger = PeerID(high: 0x0123_4567_89AB_4DEF, low: 0x8000_0000_0000_0001)
        let keepalive = #""req_type":"keepalive","uuid":"\#(Self.identity.peer)","token":""#
        let bodies =
            [seed, Self.identity.peer, stranger].flatMap { peer in
                ["\(peer)", "\(peer)".uppercased()].flatMap { text in
                    ["", #","nonce":"n1""#, #","nonce":"n2","prove":true"#].flatMap { extra in
                        [0, 100, 600].map { pad in
                            #""req_type":"query","queried_uuid":"\#(text)"\#(extra),"pad":"\#(String(repeating: "0", count: pad))""#
                        }
                    }
                }
            } + [
                #""req_type":"registration","addr":"127.0.0.1:7""#,
                #""req_type":"registration","addr":"0.0.0.0:7","nonce":"n""#,
                #""req_type":"registration","addr":"224.0.0.1:7""#,
                #""addr":"[2001:db8::1]:7","req_type":"registration""#,
                keepalive + Base64URL.encode(token) + #"""#,
                keepalive + Base64URL.encode(token) + #"","nonce":"n","pad":"00000000000000000000""#,
                keepalive + Base64URL.encode(token.map { $0 ^ 1 }) + #"""#,
                #""req_type":"query","queried_uuid":"no UUID""#, #""req_type":"nothing""#,
            ]
        var changes = 0
        for source in [home, .loopback(50_002), Endpoint(address: .v6(0x2001 << 48, 1), port: 9)] {
            for body in bodies {
                let fast = fast.send("{\(body),\(Self.short)}", from: source)
                let slow = slow.send("{\(body),\(Self.long)}", from: source)
                #expect(text(fast.reply) == text(slow.reply), "\(body)")
                #expect(fast.event == slow.event, "\(body)")
                #expect(fast.change == slow.change, "\(body)")
                #expect(fast.verdict == slow.verdict, "\(body)")
                changes += fast.change == nil ? 0 : 1
            }
        }
        #expect(changes == 9)
        #expect(fast.snapshot().counters == slow.snapshot().counters)
    }
}
