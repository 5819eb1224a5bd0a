// SPDX-License-Identifier: GPL-3.0-or-later

/// One way to a peer, for people: what it is, what came of it and why.
public struct LadderStep: Equatable, Sendable {
    /// In the order in which people think of them; several are tried at once.
    public enum Rung: String, CaseIterable, Sendable {
        /// An index server says where the peer is.
        case index
        /// The peer answers a search on this network, or at an address of it.
        case lan
        /// A port that a router opened, here or there.
        case mapping
        /// The peer's own address, open to anybody.
        case direct
        /// Both sides open their routers to each other at once.
        case punch
        /// Through an index server or a contact that passes on.
        case relay
        /// What this machine's own network allows.
        case own
    }

    public enum State: String, CaseIterable, Sendable {
        case untried, trying, worked, failed
        /// Switched off by the user, or not offered.
        case off
    }

    public var rung: Rung
    public var state: State
    /// One clause, unsanitised; names of servers are in it as the user wrote them. Nothing in it was said by a
    /// stranger.
    public var text: String

    public init(_ rung: Rung, _ state: State, _ text: String) {
        self.rung = rung
        self.state = state
        self.text = text
    }
}
