// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Testing
import Traversal

@Suite struct PeerLinkTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let dialled = SessionID(2)
    private let inbound = SessionID(3)

    /// Two sessions that came up so far apart, greeted in an order; which one stays, and which is closed.
    private func settle(isLower: Bool, apart: Span, first: SessionID, then second: SessionID) -> (
        SessionID?, [SessionID]
    ) {
        var link = PeerLink(isLower: isLower)
        link.dial(dialled, at: [], now: start)
        _ = link.cameUp(first, at: .direct(.loopback(1)), binding: [], now: start)
        _ = link.cameUp(second, at: .direct(.loopback(1)), binding: [], now: start + apart)
        _ = link.greeted(first, instance: 7, now: start + apart)
        let closings = link.greeted(second, instance: 7, now: start + apart)
        return (link.current, closings.map(\.id))
    }

    @Test(arguments: [true, false], [true, false])
    func `of two simultaneous sessions that of the lower client stays, whichever was greeted first`(
        isLower: Bool, dialledFirst: Bool
    ) {
        let (first, second) = dialledFirst ? (dialled, inbound) : (inbound, dialled)
        let (stays, closed) = settle(isLower: isLower, apart: .seconds(9), first: first, then: second)
        #expect(stays == (isLower ? dialled : inbound), "both sides come to the same answer")
        #expect(closed == [isLower ? inbound : dialled])
    }

    @Test func `long after each other the newer one stays, and so does that of a new run`() {
        #expect(settle(isLower: true, apart: .seconds(10), first: dialled, then: inbound).0 == inbound)
        #expect(settle(isLower: true, apart: .zero, first: inbound, then: SessionID(5)).0 == SessionID(5))
        var link = PeerLink(isLower: true)
        _ = link.cameUp(dialled, at: .direct(.loopback(1)), binding: [], now: start)
        _ = link.cameUp(inbound, at: .direct(.loopback(1)), binding: [], now: start)
        _ = link.greeted(dialled, instance: 7, now: start)
        #expect(link.greeted(inbound, instance: 8, now: start) == [.init(id: dialled, code: .superseded)])
        #expect(link.current == inbound)
    }

    @Test func `without a greeting a session is closed after ten seconds, and too many make room`() {
        var link = PeerLink(isLower: true)
        for number in 0..<PeerLink.greetingLimit {
            #expect(
                link.cameUp(SessionID(UInt64(2 * number + 1)), at: .direct(.loopback(1)), binding: [], now: start) == []
            )
        }
        #expect(
            link.cameUp(SessionID(99), at: .direct(.loopback(1)), binding: [], now: start).map(\.id) == [SessionID(1)])
        #expect(link.expired(now: start + .seconds(9), isWanted: true, isStranger: false).isEmpty)
        #expect(link.expired(now: start + .seconds(10), isWanted: true, isStranger: false).count == 5)
    }

    @Test func `tries are at most eight seconds apart while somebody waits, and a minute otherwise`() {
        for (isUrgent, limit) in [(true, Timing.urgentRetry), (false, Timing.idleRetry)] {
            var (link, random) = (PeerLink(isLower: true), RandomSource.seeded(1))
            var pauses: [Span] = []
            for _ in 0..<50 {
                link.postpone(isUrgent: isUrgent, now: start, using: &random)
                pauses.append(link.nextTry.since(start))
            }
            #expect(pauses[0] <= Timing.firstRetry && pauses.allSatisfy { $0 <= limit && $0 > .zero })
            #expect((pauses.max() ?? .zero).seconds > limit.seconds / 2)
            link.hurry(now: start)
            #expect(link.nextTry == start && link.failures == 0)
        }
    }
}
