// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@Suite struct `Wall time` {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_356_127_112, "2026-11-22T14:02:07.112Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (-2_203_891_200_001, "1900-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ])
    func `RFC 3339`(_ milliseconds: Int64, _ text: String) {
        #expect(WallTime(milliseconds: milliseconds).rfc3339 == text)
    }

    @Test func `every day of ten thousand years goes round`() throws {
        var weekday = 1  // the first day of year 1 was a Monday
        var previous = (year: 0, month: 12, day: 31)
        for day in 0..<Int64(3_652_059) {
            let time = WallTime(milliseconds: WallTime.earliest.milliseconds + day * 86_400_000 + 3_723_004)
            let civil = time.civil()
            let isNext =
                (civil.year, civil.month, civil.day) == (previous.year, previous.month, previous.day + 1)
                || (civil.year, civil.month, civil.day) == (previous.year, previous.month + 1, 1)
                || (civil.year, civil.month, civil.day) == (previous.year + 1, 1, 1)
            let back = WallTime(
                year: civil.year, month: civil.month, day: civil.day, hour: civil.hour, minute: civil.minute,
                second: civil.second, millisecond: civil.millisecond)
            if !isNext || back != time || civil.weekday != weekday || (civil.hour, civil.minute) != (1, 2) {
                Issue.record("\(civil)")
                return
            }
            weekday = (weekday + 1) % 7
            previous = (civil.year, civil.month, civil.day)
        }
        #expect(previous == (9999, 12, 31))
    }

    @Test func `an offset moves the civil fields and back`() throws {
        let time = try #require(WallTime(year: 2026, month: 1, day: 1, hour: 0, minute: 30, offset: 3600))
        #expect(time.rfc3339 == "2025-12-31T23:30:00.000Z")
        let civil = time.civil(offset: -5 * 3600 - 1800)
        #expect((civil.year, civil.month, civil.day, civil.hour, civil.minute) == (2025, 12, 31, 18, 0))
        #expect(civil.weekday == 3)
    }

    @Test func `a leap second is the last of its minute`() {
        let leap = WallTime(year: 2016, month: 12, day: 31, hour: 23, minute: 59, second: 60, millisecond: 5)
        #expect(leap == WallTime(year: 2016, month: 12, day: 31, hour: 23, minute: 59, second: 59, millisecond: 5))
        #expect(leap?.rfc3339 == "2016-12-31T23:59:59.005Z")
    }

    @Test(arguments: [
        (0, 1, 1, 0, 0, 0, 0, 0), (10_000, 1, 1, 0, 0, 0, 0, 0), (2026, 0, 1, 0, 0, 0, 0, 0),
        (2026, 13, 1, 0, 0, 0, 0, 0),
        (2026, 1, 0, 0, 0, 0, 0, 0), (2026, 2, 29, 0, 0, 0, 0, 0), (1900, 2, 29, 0, 0, 0, 0, 0),
        (2026, 4, 31, 0, 0, 0, 0, 0),
        (2026, 1, 1, 24, 0, 0, 0, 0), (2026, 1, 1, 0, 60, 0, 0, 0), (2026, 1, 1, 0, 0, 61, 0, 0),
        (2026, 1, 1, 0, 0, 0, 1000, 0),
        (2026, 1, 1, 0, 0, 0, 0, 86_401), (2026, 1, 1, -1, 0, 0, 0, 0),
        (.max, .max, .max, .max, .max, .max, .max, .max),
        (.min, .min, .min, .min, .min, .min, .min, .min),
    ])
    func `a field out of range makes no time`(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int, _ millisecond: Int,
        _ offset: Int
    ) {
        #expect(
            WallTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second,
                millisecond: millisecond, offset: offset) == nil)
    }

    @Test func `moments beyond the years 1 to 9999 are clamped`() {
        #expect(WallTime(milliseconds: .min) == .earliest)
        #expect(WallTime(milliseconds: .max) == .latest)
        #expect(WallTime(year: 1, month: 1, day: 1, offset: 86_400) == .earliest)
        #expect(WallTime.earliest.civil(offset: .min).year == 1)
        #expect(WallTime.latest.civil(offset: .max).year == 9999)
    }
}

@Suite struct `Monotonic time` {
    @Test func `spans saturate and are never negative`() {
        #expect(Span.seconds(-1) == .zero)
        #expect(Span.seconds(.max) == Span(nanoseconds: .max))
        #expect(Span.milliseconds(1500).seconds == 1.5)
        #expect(Span.microseconds(1500).milliseconds == 1.5)
        #expect(Span.milliseconds(1999).wholeSeconds == 1)
        #expect(Span(nanoseconds: .max).wholeSeconds == 18_446_744_073)
    }

    @Test func `instants add and subtract without overflow`() {
        let late = Instant(nanoseconds: .max)
        #expect(late + .seconds(1) == late)
        #expect(Instant(nanoseconds: 5).since(late) == .zero)
        #expect((Instant(nanoseconds: 5) + .seconds(2)).since(Instant(nanoseconds: 5)) == .seconds(2))
    }
}
