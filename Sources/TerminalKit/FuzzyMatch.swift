// SPDX-License-Identifier: GPL-3.0-or-later

/// Finding by a few letters, and guessing what was meant.
public enum FuzzyMatch {
    /// How well `query` matches as a subsequence, without regard to case: higher is better, `nil` is no match.
    ///
    /// Letters that follow each other, stand at the start, or start a word count more; a short candidate wins a tie.
    public static func score(_ query: String, in candidate: String) -> Int? {
        let letters = Array(candidate.lowercased())
        var position = 0
        var score = 0
        var previous = -2
        for wanted in query.lowercased() where !wanted.isWhitespace {
            guard let found = letters[position...].firstIndex(of: wanted) else { return nil }
            let startsWord = found == 0 || !letters[found - 1].isLetter && !letters[found - 1].isNumber
            score += 1 + (found == previous + 1 ? 8 : 0) + (startsWord ? 6 : 0) + (found == 0 ? 4 : 0)
            previous = found
            position = found + 1
        }
        return score * 64 - min(letters.count, 63)
    }

    /// The fewest insertions, removals, replacements and swaps of neighbours from one word to the other
    /// (Damerau–Levenshtein, optimal string alignment).
    public static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let change = previous[column] + (left[row] == right[column] ? 0 : 1)
                var best = min(change, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
