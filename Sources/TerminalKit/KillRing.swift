// SPDX-License-Identifier: GPL-3.0-or-later

/// Cut text, to be put back elsewhere: one ring serves every editor, so a line can move between them.
public struct KillRing: Equatable, Sendable {
    private static let limit = 16
    /// The newest last.
    private var entries: [String] = []

    public init() {}

    /// What a yank inserts.
    public var top: String? { entries.last }

    /// Remembers a cut as an entry of its own.
    mutating func push(_ text: String) {
        entries.append(text)
        if entries.count > Self.limit { entries.removeFirst() }
    }

    /// Joins a cut to the one just before it, on the side where it stood.
    mutating func extend(_ text: String, forward: Bool) {
        guard let last = entries.popLast() else { return push(text) }
        entries.append(forward ? last + text : text + last)
    }

    /// Brings the entry before the newest to the top.
    mutating func rotate() {
        guard let last = entries.popLast() else { return }
        entries.insert(last, at: 0)
    }
}
