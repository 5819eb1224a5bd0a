// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import SafeText

extension IndexResult {
    /// Every result once, in the order in which displays list them: what was asked, what was granted, what went wrong.
    static let all: [IndexResult] =
        [.hit, .miss, .invalid, .new, .renewed, .moved, .seed, .challenged, .alive, .roamed, .called, .absent, .seen]
        + Denial.allCases.map { .denied($0) } + [.malformed, .ignored, .limited, .unready]

    /// Words; a refusal says so first.
    var words: DisplayText {
        let plain = DisplayText(String(word.map { $0 == "_" ? " " : $0 }))
        if case .denied = self { return "DENY " + plain }
        return plain
    }
}

extension IndexCounters {
    /// Datagrams with one result.
    func total(of result: IndexResult) -> UInt64 {
        switch result {
        case .hit: hits
        case .miss: misses
        case .invalid: invalidQueries
        case .new: newRegistrations
        case .renewed: renewals
        case .moved: moves
        case .seed: seedRegistrations
        case .challenged: challenges
        case .denied(let denial): self[denial]
        case .alive: keepalives
        case .roamed: roams
        case .called: calls
        case .absent: absences
        case .seen: sightings
        case .malformed: malformed
        case .ignored: ignored
        case .limited: limited
        case .unready: unready
        }
    }

    /// What most refusals were for; `nil` without any.
    var commonestDenial: Denial? {
        Denial.allCases.max { self[$0] < self[$1] }.flatMap { self[$0] > 0 ? $0 : nil }
    }
}
