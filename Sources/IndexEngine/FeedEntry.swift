// SPDX-License-Identifier: GPL-3.0-or-later

/// One line of the live feed.
public struct FeedEntry: Hashable, Sendable {
    /// Counts all entries since the server's start, from 1; a gap means that entries were lost in between.
    public var sequence: UInt64
    public var event: IndexEvent
    /// Handling time in microseconds.
    public var microseconds: UInt32

    public init(sequence: UInt64, event: IndexEvent, microseconds: UInt32) {
        self.sequence = sequence
        self.event = event
        self.microseconds = microseconds
    }
}
