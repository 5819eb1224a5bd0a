// SPDX-License-Identifier: GPL-3.0-or-later

/// What a name looks like: two names of one skeleton may be taken for each other.
///
/// After the skeletons of UTS 39, §4, with a table of our own: what a reader of Latin, Cyrillic and Greek takes for a
/// Latin letter or a digit, capitals and small letters as one. Marks, blanks and everything invisible do not count. It
/// errs towards likeness, and it knows no other scripts: a warning for people, not a proof.
public struct Skeleton: Hashable, Sendable {
    /// The most scalars of a name that are looked at.
    private static let limit = 256

    private let letters: String

    public init(_ name: some StringProtocol) {
        var letters = ""
        for scalar in name.unicodeScalars.prefix(Self.limit) {
            if let letter = prototype(scalar) { letters.append(letter) }
        }
        self.letters = joined(letters)
    }

    /// Whether the name shows nothing at all.
    public var isEmpty: Bool { letters.isEmpty }
}

/// The letter that a scalar looks like; `nil` for what leaves no ink.
private func prototype(_ scalar: Unicode.Scalar) -> String? {
    if let known = confusables[scalar] { return known }
    let properties = scalar.properties
    if properties.isDefaultIgnorableCodePoint || properties.isWhitespace { return nil }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark, .format, .control, .surrogate, .lineSeparator,
        .paragraphSeparator:
        return nil
    case .dashPunctuation, .connectorPunctuation: return "-"
    default: break
    }
    if !scalar.isASCII, let plain = latinLetter(named: properties.name) { return confusables[plain] ?? String(plain) }
    return properties.lowercaseMapping
}

/// The plain letter in the name of a dressed one: é, ｅ, ⓔ and 𝐞 all say `E`.
private func latinLetter(named name: String?) -> Unicode.Scalar? {
    guard let name else { return nil }
    let words = name.split(separator: " ")
    let letter: Substring?
    if words.first == "MATHEMATICAL" || words.first == "FULLWIDTH" && words.dropFirst().first == "DIGIT" {
        letter = words.last
    } else {
        letter = words.firstIndex(of: "LETTER").flatMap { words.dropFirst($0 + 1).first }
        guard words.contains("LATIN") else { return nil }
    }
    guard let letter else { return nil }
    if let digit = digitWords[letter] { return digit }
    guard letter.utf8.count == 1 else { return nil }
    return letter.lowercased().unicodeScalars.first
}

/// Two letters that pass for one.
private func joined(_ letters: String) -> String {
    var out = ""
    for letter in letters {
        switch (out.last, letter) {
        case ("r", "n"): out.removeLast(); out.append("m")
        case ("v", "v"): out.removeLast(); out.append("w")
        default: out.append(letter)
        }
    }
    return out
}

private let digitWords: [Substring: Unicode.Scalar] = [
    "ZERO": "0", "ONE": "1", "TWO": "2", "THREE": "3", "FOUR": "4", "FIVE": "5", "SIX": "6", "SEVEN": "7",
    "EIGHT": "8", "NINE": "9",
]

/// Lookalikes by what they pass for. `i` and `l` are one: their capitals are.
private let confusables: [Unicode.Scalar: String] = {
    let rows: [(String, String)] = [
        ("a", "аАαΑάΆɑ"), ("b", "ЬьвВΒβßБ"), ("c", "сСϲϹ¢"), ("d", "ԁԀ"), ("e", "еЕёЁѐєЄεΕέΈ€℮"), ("f", "ƒſ"),
        ("g", "ɡɢ"), ("h", "һҺНнΗ"), ("l", "iIlL1|ıіІїЇӏӀιΙίΊℓ!¡ɩ"), ("j", "јЈϳ"), ("k", "кКκΚќЌ"), ("m", "мМΜ"),
        ("n", "ηΝήпП"), ("o", "0оОοΟόΌσøØօ"), ("p", "рРρΡ"), ("q", "ԛԚ"), ("r", "гГ"), ("s", "5$ѕЅ§"),
        ("t", "тТτΤ"), ("u", "υύμµц"), ("v", "νѵѴ"), ("w", "ωώԝԜшШ"), ("x", "хХχΧ×"), ("y", "уУγΥΎўЎү"),
        ("z", "ΖzZ2"), ("3", "зЗэЭ"), ("8", "8"),
    ]
    var table: [Unicode.Scalar: String] = [:]
    for (prototype, lookalikes) in rows {
        for scalar in lookalikes.unicodeScalars { table[scalar] = prototype }
    }
    return table
}()
