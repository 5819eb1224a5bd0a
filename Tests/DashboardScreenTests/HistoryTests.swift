// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit
import Testing

@testable import DashboardScreen

struct HistoryTests {
    @Test func `a chart stands as high as its greatest value`() {
        let chart = Chart([0, 1, 50, 100], samples: 4, room: 10, height: 2, ascii: false)
        #expect(chart.rows.map(\.string) == ["   █", " ▁██"])
        #expect(chart.top == 100 && chart.columns == 4)
        let ascii = Chart([0, 1, 50, 100], samples: 4, room: 10, height: 2, ascii: true)
        #expect(ascii.rows.map(\.string) == ["   #", " _##"])
    }

    @Test func `columns share the values evenly, and the greatest counts`() {
        let chart = Chart([9, 0, 1, 2, 3, 8], samples: 6, room: 4, height: 1, ascii: false)
        #expect(chart.columns == 3)
        #expect(chart.rows.map(\.string) == ["█▁▇"])
        let young = Chart([5], samples: 120, room: 24, height: 1, ascii: true)
        #expect(young.rows.map(\.string) == [String(repeating: " ", count: 23) + "#"])
    }

    @Test(arguments: [0, 1, 7] as [Int])
    func `extreme values and sizes have a chart`(room: Int) {
        let chart = Chart([.max, 0, 1, .max], samples: 120, room: room, height: -3, ascii: false)
        #expect(chart.rows.count == 1 && chart.rows.first?.columns == max(1, min(room, chart.columns)))
        #expect(Chart([UInt32](), samples: 120, room: 5, height: 2, ascii: false).top == 0)
    }

    @Test func `h shows the last two minutes and goes by any key`() {
        var fixture = Fixture(120, 36)
        fixture.refresh()
        fixture.press(.char("h"))
        for text in ["the last 120 seconds", "p99   1.8 ms┤", "p50   240 µs┤", "qps    412/s┤", "-60 s", "now"] {
            #expect(fixture.screen.contains(text), "\(text)")
        }
        fixture.press(.char("h"))
        #expect(!fixture.screen.contains("now"))
    }

    @Test(
        arguments: [
            (0, "0", "0"), (999, "999", "999"), (9999, "9,999", "9,999"), (10_000, "10,000", "10k"),
            (198_400, "198,400", "198k"), (1_000_000, "1,000,000", "1.0M"), (1_234_567, "1,234,567", "1.2M"),
            (999_999_999_999, "999,999,999,999", "999G"), (1_000_000_000_000, "1.0T", "1.0T"), (.max, "18E", "18E"),
        ] as [(UInt64, String, String)])
    func `numbers stay short`(number: UInt64, whole: String, short: String) {
        #expect(grouped(number).string == whole)
        #expect(compact(number).string == short)
        #expect(compact(number).columns <= 5)
    }

    @Test func `units fit what they measure`() {
        #expect([512, 4_200, 85_123_456, .max].map { bytes($0).string } == ["512 B", "4.2 kB", "85 MB", "18 EB"])
        #expect(
            [0, 0.004, 0.04, 1.4, .infinity, .nan, -1].map { percent($0).string }
                == ["0 %", "<1 %", "4 %", "140 %", "99999 %", "0 %", "0 %"])
        #expect(
            [95_312, 999_999, 1_000_000, .max].map { digits($0, room: 6).string }
                == ["95312", "999999", "1.0M", "4.2G"])
        let times = [Span.microseconds(180), .microseconds(1950), .milliseconds(2150), .seconds(200), .seconds(.max)]
        let glyphs = Glyphs(ascii: true)
        #expect(times.map { latency($0, glyphs).string } == ["180 us", "1.9 ms", "2.1 s", "3 m", "213503 d"])
    }
}
