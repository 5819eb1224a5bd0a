// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How many octets may pass, by the generic cell rate algorithm (ITU-T I.371): whoever sends has one moment at which
/// all of it is paid, and that may run ahead of now by the burst. In any time no more passes than the burst and what
/// the rate brings in that time.
public struct ByteQuota: Sendable {
    private let perSecond: UInt64
    private let ahead: UInt64

    /// - Parameters:
    ///   - perSecond: octets, 1 to 10^12.
    ///   - burst: octets, so many that they take no more than 70 years.
    public init(perSecond: Int, burst: Int) {
        self.perSecond = UInt64(min(max(1, perSecond), 1_000_000_000_000))
        let (high, low) = UInt64(max(0, burst)).multipliedFullWidth(by: 1_000_000_000)
        ahead = high < self.perSecond ? min(self.perSecond.dividingFullWidth((high, low)).quotient, 1 << 61) : 1 << 61
    }

    /// What was run up under a wider quota is forgotten down to this one.
    func settled(_ paid: Instant, now: Instant) -> Instant {
        Instant(nanoseconds: min(paid.nanoseconds, now.nanoseconds &+ ahead))
    }

    /// Pays for so many octets.
    /// - Parameter keepingHalf: whether half of the burst must be left after it.
    /// - Returns: when all is paid then; `nil` when they may not pass.
    public func pay(_ count: Int, after paid: Instant, keepingHalf: Bool = false, now: Instant) -> Instant? {
        // Up, so that no fraction of an octet passes unpaid.
        let cost = (UInt64(max(0, min(count, 1 << 20))) * 1_000_000_000 + perSecond - 1) / perSecond
        let end = max(now, settled(paid, now: now)).nanoseconds &+ cost
        guard end <= now.nanoseconds &+ (keepingHalf ? ahead / 2 : ahead) else { return nil }
        return Instant(nanoseconds: end)
    }
}
