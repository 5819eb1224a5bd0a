// SPDX-License-Identifier: GPL-3.0-or-later

/// Sanitised text in pieces of one or two columns, which is what a cell holds.
///
/// They are Swift's grapheme clusters, except those that take more: an Indic conjunct or a pile of spacing marks falls
/// into its bases, each with its own marks.
public struct Clusters: Sequence {
    /// A piece.
    public struct Cluster: Hashable, Sendable {
        /// At most a base and its marks, or two bases of one column each.
        public let character: Character
        /// 1 or 2.
        public let columns: Int
    }

    private let string: String

    init(_ string: String) { self.string = string }

    public func makeIterator() -> Iterator { Iterator(characters: string.makeIterator()) }

    public struct Iterator: IteratorProtocol {
        fileprivate var characters: String.Iterator
        /// The rest of a cluster that fell apart.
        private var rest: Substring.UnicodeScalarView = Substring.UnicodeScalarView()

        fileprivate init(characters: String.Iterator) { self.characters = characters }

        public mutating func next() -> Cluster? {
            if !rest.isEmpty { return nextPart() }
            guard let character = characters.next() else { return nil }
            let columns = TextWidth.columns(of: character)
            if columns <= 2 { return Cluster(character: character, columns: columns) }
            rest = Substring(String(character)).unicodeScalars
            return nextPart()
        }

        private mutating func nextPart() -> Cluster? {
            guard let base = rest.popFirst() else { return nil }
            var part = String(base)
            while let mark = rest.first, TextWidth.columns(of: mark) == 0 {
                part.unicodeScalars.append(mark)
                rest.removeFirst()
            }
            return Cluster(character: Character(part), columns: TextWidth.columns(of: base) ?? 0)
        }
    }
}
