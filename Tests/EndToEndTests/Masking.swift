// SPDX-License-Identifier: GPL-3.0-or-later
import Support

extension ScreenText {
    /// The rows without what differs at every run, so that they can be compared with a file.
    ///
    /// Clock times, dates, milliseconds and ports become `#`; so does every other number when `numbers` is set, and
    /// sparklines become one bar. A way's round trip, which may not be measured yet, goes. Runs of blanks and rules
    /// shrink to two, because what stood beside them had a width.
    func masked(_ names: [String: String] = [:], numbers: Bool = false) -> [String] {
        lines.map { line in
            var line = line
            for (name, placeholder) in names { line = line.replacing(name, with: placeholder) }
            line = line.replacing(/[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}( \d{4})?/, with: "#date")
                .replacing(/\b[A-Za-z][a-z]{2} (?=\d\d:\d\d)/, with: "")
                .replacing(/\d\d:\d\d(:\d\d(\.\d+)?)?/, with: "#time")
                .replacing(/\d+(\.\d+)? (ms|µs|us)\b/, with: "# ms")
                .replacing(/\blan # ms/, with: "lan")
                .replacing(/(127\.0\.0\.1|\[::1?\]):\d+/) { "\($0.output.1):#" }
            if numbers {
                line = line.replacing(/[▁▂▃▄▅▆▇█]+/, with: "▁").replacing(/\d+([.,]\d+)*/, with: "#")
            }
            return line.replacing(/\ {2,}/, with: "  ").replacing(/─{2,}/, with: "──").replacing(/-{2,}/, with: "--")
        }
    }
}
