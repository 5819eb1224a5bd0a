// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Relaying
internal import Wire

/// What we pass on for contacts that can't reach each other: who waits for it, and who has a channel. Pure.
///
/// An ask waits until both have a session with us by which no relay stands, but not for long. A channel is kept for as
/// long as one of the two asks for it again, and keeps its number when a session of theirs is another one by then.
struct RelayDesk {
    /// One contact wants to reach another one.
    struct Ask: Equatable {
        let asker: PeerID
        let target: PeerID
        let until: Instant
    }

    /// The sessions that a pair has with us, in the pair's order.
    struct Ends: Equatable {
        let first: SessionID
        let second: SessionID
    }

    private struct Passage {
        let channel: RelayChannel
        let opener: PeerID
        /// `nil` once one of them is gone.
        var ends: Ends?
        var until: Instant
    }

    /// Asks that wait, in all and of one contact.
    static let waitingLimit = 16
    static let waitingOfOne = 4

    private(set) var waiting: [Ask] = []
    private var passages: [PeerPair: Passage] = [:]

    /// Pairs that we pass on for.
    var pairs: Int { passages.values.count { $0.ends != nil } }

    /// Whether somebody waits for us to reach a peer.
    func awaits(_ peer: PeerID) -> Bool { waiting.contains { $0.target == peer } }

    /// Lets an ask wait; one that waits already does so no longer for it.
    /// - Returns: why it can't; one clause.
    mutating func wait(_ asker: PeerID, for target: PeerID, now: Instant) -> String? {
        guard !waiting.contains(where: { $0.asker == asker && $0.target == target }) else { return nil }
        guard waiting.count < RelayDesk.waitingLimit,
            waiting.count(where: { $0.asker == asker }) < RelayDesk.waitingOfOne
        else { return "too many wait there already" }
        waiting.append(Ask(asker: asker, target: target, until: now + Timing.relayWait))
        return nil
    }

    /// An ask that has its answer.
    mutating func settle(_ asker: PeerID, for target: PeerID) {
        waiting.removeAll { $0.asker == asker && $0.target == target }
    }

    /// The channel of a pair: the one that it has, or a new one, which counts among those that its opener asked for.
    /// - Returns: whether the transport is to be told, too; `nil` when there are too many.
    mutating func open(
        _ pair: PeerPair, by opener: PeerID, between ends: Ends, now: Instant, using random: inout RandomSource
    ) -> (channel: RelayChannel, isNews: Bool)? {
        let until = now + Timing.relayKept
        if let passage = passages[pair] {
            passages[pair]?.ends = ends
            passages[pair]?.until = until
            return (passage.channel, passage.ends != ends)
        }
        let limits = RelayLimits.peer
        guard passages.count < limits.channels,
            passages.values.count(where: { $0.opener == opener }) < limits.channelsPerPeer
        else { return nil }
        let channel = RelayChannel(random.next())
        passages[pair] = Passage(channel: channel, opener: opener, ends: ends, until: until)
        return (channel, true)
    }

    /// A session is gone, and with it what passed through it.
    mutating func ended(_ session: SessionID) {
        for (pair, passage) in passages where passage.ends?.first == session || passage.ends?.second == session {
            passages[pair]?.ends = nil
        }
    }

    /// A peer is no contact any more: its sessions end besides.
    mutating func forget(_ peer: PeerID) {
        waiting.removeAll { $0.asker == peer || $0.target == peer }
        passages = passages.filter { $0.key.first != peer && $0.key.second != peer }
    }

    // MARK: Ends

    /// What came to its end by now: asks, and channels that nobody asked for again.
    mutating func expire(now: Instant) -> (asks: [Ask], channels: [RelayChannel]) {
        let asks = waiting.filter { $0.until <= now }
        waiting.removeAll { $0.until <= now }
        let over = passages.filter { $0.value.until <= now }
        for pair in over.keys { passages[pair] = nil }
        return (asks, over.values.map(\.channel).sorted { $0.number < $1.number })
    }

    /// Everything comes to its end.
    mutating func closeAll() -> (asks: [Ask], channels: [RelayChannel]) {
        defer { self = RelayDesk() }
        return (waiting, passages.values.map(\.channel).sorted { $0.number < $1.number })
    }

    var deadline: Instant? { (waiting.map(\.until) + passages.values.map(\.until)).min() }
}
