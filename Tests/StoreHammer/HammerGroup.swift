// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import PeerEngine

/// The changes of one numbered group: eight messages, and the first one of the group before is erased.
public enum HammerGroup {
    public static let peer = PeerID(high: 0x3333, low: 0x4444).stamped(version: 8)
    public static let size: UInt64 = 8

    public static func message(_ number: UInt64) -> Message {
        Message(
            id: MessageID(random: 9, number), peer: peer, direction: .incoming,
            text: "message \(number) of the hammer " + String(repeating: "blow ", count: Int(number % 7) * 20),
            created: nil, received: WallTime(milliseconds: Int64(number)), state: .delivered, secure: true,
            counter: number + 1)
    }

    public static func changes(_ number: UInt64) -> [StoreChange] {
        let messages = (number * size..<(number + 1) * size).map { StoreChange.receive(message($0)) }
        guard number > 0 else { return messages }
        return messages + [.erase(message((number - 1) * size).id, of: peer), .sequence(number)]
    }
}
