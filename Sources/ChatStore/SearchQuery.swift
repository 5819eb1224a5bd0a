// SPDX-License-Identifier: GPL-3.0-or-later

/// What a user typed, as expressions of FTS5's that mean just that.
///
/// Each word is a quoted string, in which nothing but the quote itself has a meaning.
struct SearchQuery: Equatable {
    /// Words that count, and their scalars; what is beyond is not looked for.
    private static let wordLimit = 16
    private static let scalarLimit = 64

    /// The last word, when it may go on.
    let unfinished: String?
    /// All else that a hit has; `nil` for nothing.
    let rest: String?

    var expression: String { [rest, unfinished].compactMap(\.self).joined(separator: " AND ") }

    /// `nil` without a letter or digit.
    init?(_ text: String, peer: Int64? = nil) {
        let words = text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace)
            .filter { $0.contains(where: \.isIndexed) }
            .prefix(SearchQuery.wordLimit)
            .map { String(String.UnicodeScalarView($0.prefix(SearchQuery.scalarLimit))) }
        guard let last = words.last else { return nil }
        var conditions = words.map { "text : " + SearchQuery.quoted($0) }
        let mayGoOn = text.unicodeScalars.last?.isIndexed == true && last.unicodeScalars.count > 1
        unfinished = mayGoOn ? conditions.popLast().map { $0 + " *" } : nil
        if let peer { conditions.append("peer : \"\(peer)\"") }
        rest = conditions.isEmpty ? nil : conditions.joined(separator: " AND ")
    }

    /// A NUL would end the expression; between words it counts as a blank does.
    private static func quoted(_ word: String) -> String {
        var quoted = String.UnicodeScalarView("\"".unicodeScalars)
        for scalar in word.unicodeScalars {
            if scalar == "\"" { quoted.append(scalar) }
            quoted.append(scalar == "\0" ? " " : scalar)
        }
        return String(quoted) + "\""
    }
}

extension Unicode.Scalar {
    /// Whether it is part of a word for FTS5's `unicode61`.
    fileprivate var isIndexed: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .privateUse:
            true
        default: false
        }
    }
}
