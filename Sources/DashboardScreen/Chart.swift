// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText

/// A series over time as blocks, several rows high, the newest at the right.
struct Chart {
    /// The rows from the top, each as wide as the chart.
    let rows: [DisplayText]
    /// The value at the chart's full height.
    let top: UInt32
    let columns: Int

    private static let blocks: [Character] = Array(" ▁▂▃▄▅▆▇█")
    private static let characters: [Character] = Array(" _.:-=+*#")
    private static let eighths = 8

    /// - Parameters:
    ///   - values: oldest first; the last `samples` of them are drawn, several to a column where there is no room for
    ///     all, the greatest of them counting.
    ///   - room: the most columns; the chart takes the number that gives each column as many values.
    init(_ values: some BidirectionalCollection<UInt32>, samples: Int, room: Int, height: Int, ascii: Bool) {
        let room = max(1, room)
        let height = max(1, height)
        let perColumn = max(1, (samples + room - 1) / room)
        let columns = min(room, (samples + perColumn - 1) / perColumn)
        var greatest = Array(repeating: UInt32(0), count: columns)
        for (age, value) in values.reversed().prefix(columns * perColumn).enumerated() {
            let column = columns - 1 - age / perColumn
            greatest[column] = max(greatest[column], value)
        }
        let top = greatest.max() ?? 0
        let levels = greatest.map { Self.level($0, of: top, steps: height * Self.eighths) }
        let glyphs = ascii ? Self.characters : Self.blocks
        rows = (0..<height).reversed().map { row in
            DisplayText(String(levels.map { glyphs[max(0, min(Self.eighths, $0 - row * Self.eighths))] }))
        }
        self.top = top
        self.columns = columns
    }

    /// Only nothing at all is at the bottom.
    private static func level(_ value: UInt32, of top: UInt32, steps: Int) -> Int {
        guard value > 0, top > 0 else { return 0 }
        return max(1, Int(UInt64(value) * UInt64(steps) / UInt64(top)))
    }
}
