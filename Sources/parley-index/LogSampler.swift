// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Keeps a log readable, and cheap, however much happens: so many lines a second, and once a second how many more there
/// would have been.
struct LogSampler: Equatable, Sendable {
    /// Lines a second.
    static let limit = 1000

    private let limit: Int
    /// When the second under way began.
    private var second: Instant?
    private var taken = 0
    /// Left out in the second under way.
    private var leftOut = 0
    /// Left out before, and not told yet.
    private var untold = 0

    init(limit: Int = LogSampler.limit) { self.limit = limit }

    /// - Returns: whether something that happens now gets its line.
    mutating func admits(now: Instant) -> Bool {
        if second.map({ now.since($0) >= .seconds(1) }) ?? true {
            untold += leftOut
            (second, taken, leftOut) = (now, 0, 0)
        }
        guard taken < limit else {
            leftOut += 1
            return false
        }
        taken += 1
        return true
    }

    /// How long until what was left out is told; `nil` when nothing was.
    func wait(now: Instant) -> Span? {
        if untold > 0 { return .zero }
        guard leftOut > 0, let second else { return nil }
        return (second + .seconds(1)).since(now)
    }

    /// How many lines were left out and not told yet, of seconds that are over; of all, if the log ends.
    mutating func report(now: Instant, isLast: Bool = false) -> Int? {
        guard let wait = wait(now: now), isLast || wait == .zero else { return nil }
        let isOver = second.map { now.since($0) >= .seconds(1) } ?? true
        defer {
            untold = 0
            if isLast || isOver { leftOut = 0 }
        }
        return untold + (isLast || isOver ? leftOut : 0)
    }
}
