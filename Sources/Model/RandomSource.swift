// SPDX-License-Identifier: GPL-3.0-or-later

/// Chance as a parameter: the system's, or a repeatable sequence for tests and simulations.
public enum RandomSource: RandomNumberGenerator, Sendable {
    /// The system's secure generator.
    case system
    /// SplitMix64 (Steele, Lea, Flood 2014) from a seed. Not for secrets.
    case seeded(UInt64)

    public mutating func next() -> UInt64 {
        switch self {
        case .system: return .random(in: .min ... .max)
        case .seeded(let state):
            let next = state &+ 0x9E37_79B9_7F4A_7C15
            self = .seeded(next)
            var mixed = next
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    /// So many random octets.
    public mutating func octets(_ count: Int) -> [UInt8] {
        (0..<max(0, count)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

extension RandomSource {
    /// A further source, independent of this one.
    public mutating func split() -> RandomSource {
        switch self {
        case .system: .system
        case .seeded: .seeded(next())
        }
    }
}
