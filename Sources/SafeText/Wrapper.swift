// SPDX-License-Identifier: GPL-3.0-or-later

/// Greedy line breaking over grapheme clusters.
struct Wrapper {
    private let width: Int
    private var lines: [(text: String, columns: Int)] = []
    private var line = ""
    private var lineColumns = 0
    private var word = ""
    private var wordColumns = 0

    init(width: Int) { self.width = width }

    mutating func append(_ cluster: Clusters.Cluster) {
        if cluster.character == " " {
            flushWord()
            if lineColumns < width {
                line.append(" ")
                lineColumns += 1
            }
            return
        }
        // Scripts of wide characters break anywhere, and a word wider than a line has to break somewhere.
        if cluster.columns == 2 || wordColumns + cluster.columns > width { flushWord() }
        word.append(cluster.character)
        wordColumns += cluster.columns
        if cluster.columns == 2 { flushWord() }
    }

    mutating func finish() -> [(text: String, columns: Int)] {
        flushWord()
        breakLine()
        return lines
    }

    private mutating func flushWord() {
        guard !word.isEmpty else { return }
        if lineColumns + wordColumns > width { breakLine() }
        line += word
        lineColumns += wordColumns
        word = ""
        wordColumns = 0
    }

    private mutating func breakLine() {
        guard lineColumns > 0 else { return }
        while line.last == " " {
            line.removeLast()
            lineColumns -= 1
        }
        lines.append((line, lineColumns))
        line = ""
        lineColumns = 0
    }
}
