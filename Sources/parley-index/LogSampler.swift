// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model

/// Keeps a log readable, and cheap, however much happens: so many lines a second, and once a second how many more there
/// would have been. What anybody can cause without end has a budget of its own, so that it hides nothing else.
struct LogSampler: Equatable, Sendable {
    /// Lines a second.
    static let limit = 1000
    /// Lines a second about noise.
    static let noiseLimit = 50

    private let limit: Int
    private let noiseLimit: Int
    /// When the second under way began.
    private var second: Instant?
    private var taken = 0
    private var noiseTaken = 0
    /// Left out in the second under way.
    private var leftOut = 0
    /// Left out before, and not told yet.
    private var untold = 0

    init(limit: Int = LogSampler.limit, noiseLimit: Int = LogSampler.noiseLimit) {
        (self.limit, self.noiseLimit) = (limit, noiseLimit)
    }

    /// - Returns: whether something that happens now gets its line.
    mutating func admits(isNoise: Bool = false, now: Instant) -> Bool {
        if second.map({ now.since($0) >= .seconds(1) }) ?? true {
            untold += leftOut
            (second, taken, noiseTaken, leftOut) = (now, 0, 0, 0)
        }
        let isAdmitted = isNoise ? noiseTaken < noiseLimit : taken < limit
        if !isAdmitted {
            leftOut += 1
        } else if isNoise {
            noiseTaken += 1
        } else {
            taken += 1
        }
        return isAdmitted
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

extension IndexResult {
    /// Whether nothing was done and nothing answered: what a flood consists of.
    var isNoise: Bool { self == .ignored || self == .limited }
}
