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
    /// What the disk holds of each conversation, in the order of arrival.
    var disk: [PeerID: [Message]] = [:]
    /// Whether the disk answers at once.
    var diskAnswers = true
    /// The most messages of a page.
    static let page = 200

    init(
        ascii: Bool = false, size: Size = Size(columns: 80, rows: 24), contacts: Bool = true, hides: Bool = false
    ) {
        state = ChatState(me: Self.me, name: "alice", options: ChatOptions(ascii: ascii, hidesAddress: hides))
        tell(.terminal(.resize(size)))
        tell(.clock(at(31), offset: 0))
        tell(.listening(.loopback(50001)))
        tell(.index(server: "127.0.0.1:50000", .ok(.microseconds(420))))
        if contacts { tell(.contacts(Self.book)) }
    }

    static let book = [
        Contact(peer: bob, name: "bob", accepted: true), Contact(peer: carol, name: "carol", accepted: true),
        Contact(peer: dave, name: "dave", accepted: true),
    ]

    mutating func tell(_ event: ChatEvent) {
        if case .messageState(let id, let peer, let state, let reason) = event { store(id, of: peer, state, reason) }
        var events = [event]
        while !events.isEmpty {
            let new = update(&state, events.removeFirst())
            effects += new
            guard diskAnswers else { continue }
            for case .load(let request) in new { events.append(.history(request, read(request))) }
        }
    }

    /// The page that a request asks for.
    func read(_ request: HistoryRequest) -> HistoryPage {
        let all = disk[request.peer] ?? []
        let place = { (id: MessageID) in all.firstIndex { $0.id == id } ?? all.count }
        let range: Range<Int>
        switch request.range {
        case .newest: range = max(0, all.count - Self.page)..<all.count
        case .older(let id): range = max(0, place(id) - Self.page)..<place(id)
        case .newer(let id): range = min(all.count, place(id) + 1)..<min(all.count, place(id) + 1 + Self.page)
        case .around(let id):
            range = max(0, place(id) - Self.page / 2)..<min(all.count, place(id) + Self.page / 2)
        }
        return HistoryPage(
            Array(all[range]), reachesStart: range.lowerBound == 0, reachesEnd: range.upperBound == all.count)
    }

    private mutating func store(_ id: MessageID, of peer: PeerID, _ state: DeliveryState, _ reason: String?) {
        guard let place = disk[peer]?.lastIndex(where: { $0.id == id }) else { return }
        disk[peer]?[place].state = state
        disk[peer]?[place].reason = reason
    }

    /// Puts messages of the last run on the disk.
    mutating func remember(_ texts: [String], with peer: PeerID = bob, minute: Int = 0) {
        for text in texts {
            count += 1
            disk[peer, default: []].append(
                Message(
                    id: MessageID(random: count, count), peer: peer, direction: .incoming, text: text, created: nil,
                    received: at(minute), state: .delivered, secure: true))
        }
    }

    /// What the user asked for since last taken: reading the disk and telling of presence aside.
    mutating func takeEffects() -> [ChatEffect] {
        defer { effects = [] }
        return effects.filter { !$0.isQuiet }
    }

    /// Every effect since last taken.
    mutating func takeAllEffects() -> [ChatEffect] {
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
        let message = Message(
            id: id, peer: peer, direction: direction, text: text, created: nil, received: at(minute),
            state: delivery, reason: reason, secure: secure)
        disk[peer, default: []].append(message)
        tell(.message(message))
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

extension ChatEffect {
    /// What follows by itself from opening, reading and writing.
    fileprivate var isQuiet: Bool {
        switch self {
        case .openConversation, .markRead, .typing, .active, .keepDraft, .load, .endHint: true
        default: false
        }
    }
}
