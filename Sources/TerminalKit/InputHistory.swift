// SPDX-License-Identifier: GPL-3.0-or-later

/// Lines entered before, walked with ↑ and ↓. What was being written waits at the end of the walk.
public struct InputHistory: Equatable, Sendable {
    /// The most lines kept; the oldest go first.
    public static let limit = 200

    private var entries: [String] = []
    /// The entry shown now; `nil` outside a walk.
    private var position: Int?
    private var unfinished = ""

    public init() {}

    /// Remembers a line and ends the walk. A blank line, or the one before again, adds nothing.
    public mutating func add(_ line: String) {
        position = nil
        unfinished = ""
        guard line.contains(where: { !$0.isWhitespace }), line != entries.last else { return }
        entries.append(line)
        if entries.count > Self.limit { entries.removeFirst() }
    }

    /// The line before the one shown; `nil` at the oldest.
    public mutating func older(than current: String) -> String? {
        let next = (position ?? entries.count) - 1
        guard next >= 0 else { return nil }
        if position == nil { unfinished = current }
        position = next
        return entries[next]
    }

    /// The line after the one shown, at last the unfinished one; `nil` outside a walk.
    public mutating func newer() -> String? {
        guard let current = position else { return nil }
        guard current + 1 < entries.count else {
            position = nil
            return unfinished
        }
        position = current + 1
        return entries[current + 1]
    }
}
