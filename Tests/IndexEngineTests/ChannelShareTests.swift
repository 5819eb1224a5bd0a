// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Relaying
import Testing
import Wire

/// Pairs that talk now and then, and a crowd that calls itself to have all channels.
@Suite struct ChannelShareTests {
    private struct Pair {
        var caller, callee: Registered
        var channel: RelayChannel
    }

    private func place(_ network: UInt32, _ host: UInt32) -> Endpoint {
        Endpoint(address: .v4(0xC600_0000 | network << 8 | host), port: 7)
    }

    private func call(_ caller: Registered, _ callee: Registered, _ index: inout IndexHarness) throws -> Pair? {
        guard case .calling(let channel?)? = try index.ask(caller.call(callee.peer), from: caller.address) else {
            return nil
        }
        return Pair(caller: caller, callee: callee, channel: channel)
    }

    /// Whether what each of the two sends arrives.
    private func talk(_ pair: Pair, _ index: IndexHarness) -> Bool {
        let bytes = RelayDatagram.wrap([1, 2, 3], in: pair.channel)
        return [pair.caller, pair.callee].allSatisfy {
            index.service.route(bytes.span, by: RelayLeg(remote: $0.address), now: index.now) != nil
        }
    }

    @Test(arguments: [false, true])
    func `five networks' callers, however many, cost no quiet pair its channel`(theyTalk: Bool) throws {
        var limits = RelayLimits()
        limits.channels = 64
        var index = IndexHarness(relay: limits)
        var quiet: [Pair] = []
        for number in 0..<10 as Range<UInt32> {
            let caller = try Registered(at: place(100 + number, 1), in: &index)
            let callee = try Registered(at: place(200 + number, 1), in: &index)
            quiet.append(try #require(try call(caller, callee, &index)))
        }
        var crowd: [Registered] = []
        for host in 1...6 as ClosedRange<UInt32> {
            for network in 1...5 as ClosedRange<UInt32> {
                crowd.append(try Registered(at: place(network, host), in: &index))
            }
        }
        var opened: Set<RelayChannel> = []
        var lost = 0
        for second in 0..<120 {
            if second % 10 == 0 { lost += quiet.count { !talk($0, index) } }
            for number in 0..<20 {
                let turn = second * 20 + number
                let (one, other) = (turn % 30, (turn + 1 + turn / 30 % 14) % 30)
                guard let pair = try call(crowd[one], crowd[other], &index) else { continue }
                opened.insert(pair.channel)
                if theyTalk { _ = talk(pair, index) }
            }
            index.advance(.seconds(1))
        }
        #expect(lost == 0)
        #expect(opened.count > 300, "so many would have had every channel")
        #expect(index.snapshot().relay.channels == 64)
    }
}
