// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import TerminalKit

@Suite struct InputHistoryTests {
    @Test func `older and newer lines, and at the end what was being written`() {
        var history = InputHistory()
        history.add("first")
        history.add("second")
        history.add("second")
        history.add("  ")
        let older = ["unfinished", "second", "first"].map { history.older(than: $0) }
        #expect(older == ["second", "first", nil])
        let newer = (0..<3).map { _ in history.newer() }
        #expect(newer == ["second", "unfinished", nil])
    }

    @Test func `the oldest lines make room`() {
        var history = InputHistory()
        for number in 0..<(InputHistory.limit + 5) { history.add("\(number)") }
        var oldest = ""
        while let line = history.older(than: "") { oldest = line }
        #expect(oldest == "5")
    }
}
