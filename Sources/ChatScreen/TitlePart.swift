// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import TerminalKit

/// Something that the title says of a peer, in ever fewer words.
struct TitlePart {
    /// The longest first, each with how soon it goes where there is no room for it: what matters least has the largest
    /// number. After the last, the part goes altogether.
    private var wordings: [(words: String, rank: Int)]
    let style: Style

    init(_ wordings: [(words: String, rank: Int)], _ style: Style = .dim) {
        self.wordings = wordings
        self.style = style
    }

    init(_ words: String, _ rank: Int) { self.init([(words, rank)]) }

    var words: String { wordings.first?.words ?? "" }
    fileprivate var rank: Int { wordings.first?.rank ?? .max }
    fileprivate var isLast: Bool { wordings.count <= 1 }
    fileprivate mutating func shorten() { wordings.removeFirst() }
}

extension [TitlePart] {
    private var columns: Int { reduce(-3) { $0 + 3 + DisplayText($1.words).columns } }

    /// As much as there is room for; at least one part.
    func fitted(to room: Int) -> [TitlePart] {
        var parts = self
        while parts.columns > room, let place = parts.indices.max(by: { parts[$0].rank < parts[$1].rank }) {
            if !parts[place].isLast {
                parts[place].shorten()
            } else if parts.count > 1 {
                parts.remove(at: place)
            } else {
                break
            }
        }
        return parts
    }
}
