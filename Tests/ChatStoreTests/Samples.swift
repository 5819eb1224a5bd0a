// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Model
import PeerEngine
import Support

/// A peer with a key, by number.
func keyed(_ number: UInt64) -> PeerID { PeerID(high: 0x1111_0000_0000_0000, low: number).stamped(version: 8) }

/// A peer of the seed's kind, by number.
func unkeyed(_ number: UInt64) -> PeerID { PeerID(high: 0x2222_0000_0000_0000, low: number).stamped(version: 4) }

func messageID(_ number: UInt64) -> MessageID { MessageID(random: 7, number) }

func incoming(_ number: UInt64, from peer: PeerID, _ text: String = "hello") -> Message {
    Message(
        id: messageID(number), peer: peer, direction: .incoming, text: text, created: WallTime(milliseconds: 5),
        received: WallTime(milliseconds: 1000 + Int64(number)), state: .delivered, secure: true, counter: number)
}

func outgoing(_ number: UInt64, to peer: PeerID, _ text: String = "hello") -> Message {
    Message(
        id: messageID(number), peer: peer, direction: .outgoing, text: text, created: nil,
        received: WallTime(milliseconds: 2000 + Int64(number)), state: .queued, secure: true, counter: number,
        tag: "t\(number)")
}

/// A store in a directory of its own.
struct Shelf {
    let directory: TemporaryDirectory
    var path: String { directory.file("history.db") }

    init() throws { directory = try TemporaryDirectory() }

    func open() throws -> ChatStore { try ChatStore(path: path) }
}
