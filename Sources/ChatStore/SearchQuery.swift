// SPDX-License-Identifier: GPL-3.0-or-later

/// What a user typed, as an expression of FTS5's that means just that.
///
/// Each word is a quoted string, in which nothing but the quote itself has a meaning.
struct SearchQuery: Equatable {
    /// Words that count, and their scalars; what is beyond is not looked for.
    private static let wordLimit = 16
    private static let scalarLimit = 64

    let expression: String

    /// `nil` without a letter or digit.
    init?(_ text: String, peer: Int64? = nil) {
        let words = text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace)
            .filter { $0.contains(where: \.isIndexed) }
            .prefix(SearchQuery.wordLimit)
            .map { String(String.UnicodeScalarView($0.prefix(SearchQuery.scalarLimit))) }
        guard let last = words.last else { return nil }
        let unfinished = text.unicodeScalars.last?.isIndexed == true && last.unicodeScalars.count > 1
        var terms = words.map(SearchQuery.quoted)
        if unfinished { terms[terms.count - 1] += " *" }
        let query = "text : (" + terms.joined(separator: " AND ") + ")"
        expression = peer.map { query + " AND peer : \"\($0)\"" } ?? query
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
