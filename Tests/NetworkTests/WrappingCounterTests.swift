// SPDX-License-Identifier: GPL-3.0-or-later
@testable import Network
import Testing

@Suite struct WrappingCounterTests {
    @Test func `a counter that goes round is added up`() {
        var counter = WrappingCounter()
        let readings: [UInt32] = [0, 5, 5, 4_294_967_295, 0, 7, 6]
        let sums = readings.map { counter.advance(to: $0) }
        #expect(sums == [0, 5, 5, 4_294_967_295, 4_294_967_296, 4_294_967_303, 8_589_934_598])
    }
}
