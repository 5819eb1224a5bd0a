// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import Testing

@testable import TerminalKit

@Suite struct FrameClusterTests {
    @Test func `a flag takes two columns and keeps its letters together`() {
        var frame = Frame(size: Size(columns: 8, rows: 1))
        let end = frame.put("🇩🇪x", column: 0, row: 0)
        #expect(end == 3)
        #expect(frame[0, 0].width == 2 && frame[1, 0].width == 0)
        #expect(frame[2, 0].cluster == "x")
        #expect(frame.lines == ["🇩🇪x"])
    }

    @Test func `pieces stop at the first that is cut`() {
        var text = StyledText("ab", .bold)
        text.append("日", .dim)
        text.append("c")
        var frame = Frame(size: Size(columns: 4, rows: 1))
        let end = frame.put(text, column: 0, row: 0, limit: 3)
        #expect(end == 2)
        #expect(frame.lines == ["ab"])
    }
}
