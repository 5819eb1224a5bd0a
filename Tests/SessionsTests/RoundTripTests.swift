// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PeerEngine
import Testing
import Traversal
import Wire

@testable import Sessions

@Suite struct RoundTripTests {
    /// What was told, with a path or for itself.
    private func told(by node: Node) -> [Span] {
        node.events.compactMap { event in
            switch event {
            case .roundTrip(_, let span): span
            case .path(_, let report): report?.roundTrip
            default: nil
            }
        }
    }

    @Test func `the least of the last four samples counts, and another route begins anew`() {
        var meter = RoundTripMeter()
        #expect(meter.value == nil)
        for sample in [5, 900, 901, 7] { meter.take(.milliseconds(sample)) }
        #expect(meter.value == .milliseconds(5))
        meter.take(.milliseconds(8))
        #expect(meter.value == .milliseconds(7))
        for sample in [400, 410, 420] { meter.take(.milliseconds(sample)) }
        #expect(meter.value == .milliseconds(8))
        meter.take(.milliseconds(430))
        #expect(meter.value == .milliseconds(400), "it follows what lasts")
        meter.restart(.milliseconds(30))
        meter.take(.milliseconds(430))
        #expect(meter.value == .milliseconds(30), "the last word of the old route is none of the new one")
        meter.restart(nil)
        #expect(meter.value == nil)
    }

    @Test func `what an outage held up is no round trip`() throws {
        let net = Net()
        let (client, _, dialled, _) = try #require(net.pair())
        func speak(_ times: Int) {
            for _ in 0..<times {
                net.perform(client, [.send(dialled, frames: [Array("{}".utf8)])])
                net.run(for: .seconds(1))
            }
        }
        speak(3)
        #expect(told(by: client).last.map { $0 < .milliseconds(10) } == true)
        net.distance = { _, _ in .milliseconds(1500) }
        speak(2)
        net.distance = { _, _ in nil }
        net.run(for: .seconds(4))
        speak(3)
        #expect(client.ends.isEmpty)
        #expect(told(by: client).last.map { $0 < .milliseconds(10) } == true, "\(told(by: client))")
    }

    @Test func `over another route it is what that route takes, as soon as it is in use`() throws {
        let net = Net()
        let (one, other) = (net.node(1), net.node(2))
        let far = net.relay(between: one, and: other)
        net.distance = { $0.port == 9000 || $1.port == 9000 ? .milliseconds(60) : nil }
        let start = [RemoteCandidate(.direct(other.endpoint), .last)]
        net.perform(one, [.dial(SessionID(2), key: other.key, DialPlan(start, reference: 7))])
        net.run(for: .seconds(3)) { !one.ups.isEmpty && !other.ups.isEmpty }
        net.perform(one, [.offer(SessionID(2), [RemoteCandidate(far, .relayed)], sequence: 0)])
        net.run(for: .seconds(3))
        // The direct way is cut.
        net.tamper = { datagram, source in
            datagram.endpoint.port == 9000 || source.port == 9000 ? [datagram] : []
        }
        net.perform(one, [.send(SessionID(2), frames: [Array("{}".utf8)])])
        net.run(for: .seconds(10)) { one.paths.last??.route == far }
        let report = try #require(one.paths.last ?? nil)
        #expect(report.route == far && report.roundTrip.map { $0 >= .milliseconds(240) } == true, "\(report)")
        net.tamper = { datagram, _ in [datagram] }
        net.perform(one, [.networkChanged(addresses: one.endpoints.map(\.address))])
        net.run(for: .seconds(10)) { one.paths.last??.route == .direct(other.endpoint) }
        for _ in 0..<3 {
            net.perform(one, [.send(SessionID(2), frames: [Array("{}".utf8)])])
            net.run(for: .seconds(1))
        }
        #expect(told(by: one).last.map { $0 < .milliseconds(10) } == true, "\(told(by: one)) \(one.paths)")
    }
}
