// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// One question to the router and what comes of it, by one protocol. Never blocks.
protocol MappingExchange: AnyObject {
    var descriptor: Int32 { get }

    /// When `step` is wanted, readable or not.
    func wake(_ now: Instant) -> Instant

    /// Reads what there is, or asks again.
    /// - Returns: what came of it; `nil` while that is open.
    func step(_ now: Instant) -> MappingOutcome?

    /// Seconds of the router's life, and when it said so; `nil` where the protocol has no such thing.
    var epoch: (seconds: UInt32, at: Instant)? { get }
}

/// Whether a router still lives the life that it told of before: if not, it has forgotten all mappings.
struct RouterLife: Equatable {
    private var seconds: UInt32
    private var at: Instant

    init(seconds: UInt32, at: Instant) { (self.seconds, self.at) = (seconds, at) }

    /// Whether what it says now is not what is to be expected after what it said here.
    func isOver(_ new: RouterLife, by: MappingProtocol) -> Bool {
        let (before, after) = (UInt64(seconds), UInt64(new.seconds))
        let ours = UInt64(new.at.since(at).wholeSeconds)
        switch by {
        case .natPMP:
            // RFC 6886, §3.6: its clock must have gone on by seven eighths of ours, less two seconds.
            return after + 2 < before + ours * 7 / 8
        case .pcp, .firewall:
            // RFC 6887, §8.5: never back, and neither clock faster than the other by more than a sixteenth and two
            // seconds.
            guard after + 1 >= before else { return true }
            let theirs = after > before ? after - before : 0
            return ours + 2 < theirs - theirs / 16 || theirs + 2 < ours - ours / 16
        case .upnp: return false
        }
    }
}
