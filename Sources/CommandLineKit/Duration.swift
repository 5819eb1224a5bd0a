// SPDX-License-Identifier: GPL-3.0-or-later

extension Duration {
    /// Reads `10s`, `500ms`, `2m`, or a bare number of seconds.
    public init?(argument text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 86_400_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "", "s": self = .seconds(number)
        case "ms": self = .milliseconds(number)
        case "m": self = .seconds(number * 60)
        default: return nil
        }
    }
}

extension Duration {
    /// As one would type it: `20s`, `500ms`.
    public var shown: String {
        let (seconds, attoseconds) = components
        guard attoseconds == 0 else { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        return "\(seconds)s"
    }
}
