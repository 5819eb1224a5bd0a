// SPDX-License-Identifier: GPL-3.0-or-later

/// The candidate that somebody who wrote `word` most likely meant; `nil` when none is near: a third of its letters, and
/// at least one, may be wrong, missing, too much or swapped with a neighbour.
public func nearMatch(_ word: String, among candidates: some Sequence<String>) -> String? {
    let word = Array(word.lowercased().utf8.prefix(64))
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let letters = Array(candidate.lowercased().utf8.prefix(64))
        let distance = editDistance(word, letters)
        guard distance <= max(1, letters.count / 3), distance < letters.count,
            distance < best?.distance ?? .max
        else { continue }
        best = (distance, candidate)
    }
    return best?.candidate
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var older = [Int](repeating: 0, count: right.count + 1)
    var old = Array(0...right.count)
    for (row, letter) in left.enumerated() {
        var new = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(new[column] + 1, old[column + 1] + 1, old[column] + (letter == other ? 0 : 1))
            if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                cost = min(cost, older[column - 1] + 1)
            }
            new.append(cost)
        }
        (older, old) = (old, new)
    }
    return old[right.count]
}
