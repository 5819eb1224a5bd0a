// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

extension PathFinder {
    /// What became of each candidate, in the order in which they are tried.
    public var attempts: [PathAttempt] {
        let tried = trials.enumerated()
            .sorted { ($0.element.candidate.rank, $0.offset) < ($1.element.candidate.rank, $1.offset) }
        return tried.map { PathAttempt($0.element.candidate, state(of: $0.element)) } + skipped
    }

    private func state(of trial: CandidateTrial) -> PathAttempt.State {
        let isInUse = trial.route == current && !gaveUp
        if let roundTrip = trial.roundTrip {
            // One lost probe is no silence.
            let isSilent = !isInUse && (trial.unanswered >= 2 || (gaveUp && !trial.answers(since: epoch)))
            return isSilent ? .silent : .answered(roundTrip: roundTrip, isInUse: isInUse)
        }
        if trial.isWaiting { return .waiting }
        if trial.burst != nil { return .probing(trial.sent) }
        if trial.isRefused, trial.sent == 0 { return .skipped("it was probed often enough, and never answered") }
        return .failed(trial.sent, reason: trial.isHinted ? "the network says that nobody reads there" : nil)
    }
}
