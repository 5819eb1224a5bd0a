// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

@testable import ChatScreen

/// A user before a screen: events in, effects and text out. Time stands still unless told.
struct Session {
    static let me = PeerID(high: 0x4f2a_91c0_1111_8222, low: 0x8333_4444_5555_6666)
    static let bob = PeerID(high: 0xb0b0_0000_0000_8000, low: 0x8000_0000_0000_0001)
    static let carol = PeerID(high: 0xca01_0000_0000_8000, low: 0x8000_0000_0000_0002)
    /// A seed peer: version 4.
    static let dave = PeerID(high: 0xda7e_0000_0000_4000, low: 0x8000_0000_0000_0003)
    static let stranger = PeerID(high: 0x57a9_9e12_0000_8000, low: 0x8000_0000_0000_0004)
    /// Sunday, 22 November 2026, 14:00 UTC.
    static let noon = WallTime(milliseconds: 1_795_356_000_000)

    var state: ChatState
    private(set) var effects: [ChatEffect] = []
    private var count: UInt64 = 0

    init(ascii: Bool = false, size: Size = Size(columns: 80, rows: 24), contacts: Bool = true) {
        state = ChatState(me: Self.me, name: "alice", options: ChatOptions(ascii: ascii))
        tell(.terminal(.resize(size)))
        tell(.clock(at(31), offset: 0))
        tell(.listening(.loopback(50001)))
        tell(.index(server: "127.0.0.1:50000", .ok(milliseconds: 0.42)))
        if contacts { tell(.contacts(Self.book)) }
    }

    static let book = [
        Contact(peer: bob, name: "bob", accepted: true), Contact(peer: carol, name: "carol", accepted: true),
        Contact(peer: dave, name: "dave", accepted: true),
    ]

    mutating func tell(_ event: ChatEvent) { effects += update(&state, event) }

    /// The effects since last asked.
    mutating func takeEffects() -> [ChatEffect] {
        defer { effects = [] }
        return effects
    }

    mutating func type(_ script: String) {
        for key in keys(script) { tell(.terminal(.key(key))) }
    }

    mutating func paste(_ text: String) { tell(.terminal(.paste(text))) }
    mutating func resize(_ columns: Int, _ rows: Int) {
        tell(.terminal(.resize(Size(columns: columns, rows: rows))))
    }

    /// Minutes after 14:00.
    func at(_ minute: Int) -> WallTime { WallTime(milliseconds: Self.noon.milliseconds + Int64(minute) * 60_000) }

    @discardableResult
    mutating func hear(_ text: String, from peer: PeerID = bob, minute: Int = 30, secure: Bool = false) -> MessageID {
        receive(text, peer, .incoming, minute, .delivered, nil, secure)
    }

    /// A message of the user's as the engine reports it.
    @discardableResult
    mutating func say(
        _ text: String, to peer: PeerID = bob, minute: Int = 30, state: DeliveryState = .sent, reason: String? = nil,
        secure: Bool = false
    ) -> MessageID {
        receive(text, peer, .outgoing, minute, state, reason, secure)
    }

    private mutating func receive(
        _ text: String, _ peer: PeerID, _ direction: Direction, _ minute: Int, _ delivery: DeliveryState,
        _ reason: String?, _ secure: Bool
    ) -> MessageID {
        count += 1
        let id = MessageID(random: count, count)
        tell(
            .message(
                Message(
                    id: id, peer: peer, direction: direction, text: text, created: nil, received: at(minute),
                    state: delivery, reason: reason, secure: secure)))
        return id
    }

    var frame: Frame { view(state, size: state.size) }
    /// The screen as text, a blank line kept for each blank row.
    var screen: String { frame.lines.joined(separator: "\n") }
    var draft: String { state.draft.editor.text }
    var flash: String? { state.flash?.text }

    /// The row that contains a text, or nothing.
    func row(with text: String) -> String? { frame.lines.first { $0.contains(text) } }
}
