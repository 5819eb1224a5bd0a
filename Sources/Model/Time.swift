// SPDX-License-Identifier: GPL-3.0-or-later

/// A moment of the monotonic clock, in nanoseconds since an origin that means nothing outside the process.
///
/// Every machine takes it as a parameter; only executables and adapters read a clock.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's origin.
    public let nanoseconds: UInt64

    /// A moment so many nanoseconds after the clock's origin.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Chronological order.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment `span` later; saturates instead of overflowing.
    public static func + (instant: Instant, span: Span) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(span.nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    public func since(_ earlier: Instant) -> Span {
        Span(nanoseconds: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0)
    }
}

/// A length of time, never negative, in nanoseconds.
public struct Span: Hashable, Comparable, Sendable {
    /// The length in nanoseconds.
    public let nanoseconds: UInt64

    /// A length in nanoseconds.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// No time at all.
    public static let zero = Span(nanoseconds: 0)

    /// A length in whole seconds; saturates.
    public static func seconds(_ count: Int) -> Span { scaled(count, by: 1_000_000_000) }
    /// A length in whole milliseconds; saturates.
    public static func milliseconds(_ count: Int) -> Span { scaled(count, by: 1_000_000) }
    /// A length in whole microseconds; saturates.
    public static func microseconds(_ count: Int) -> Span { scaled(count, by: 1_000) }

    private static func scaled(_ count: Int, by factor: UInt64) -> Span {
        let (product, overflow) = UInt64(max(0, count)).multipliedReportingOverflow(by: factor)
        return Span(nanoseconds: overflow ? .max : product)
    }

    /// Order by length.
    public static func < (left: Span, right: Span) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The length in seconds, as a fraction.
    public var seconds: Double { Double(nanoseconds) / 1e9 }
    /// The length in milliseconds, as a fraction.
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }
    /// Whole seconds, rounded down.
    public var wholeSeconds: Int { Int(nanoseconds / 1_000_000_000) }
}

/// A moment of the wall clock, in milliseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
public struct WallTime: Hashable, Comparable, Sendable {
    /// Milliseconds since the Unix epoch.
    public let milliseconds: Int64

    /// The first representable millisecond, in year 1.
    public static let earliest = WallTime(milliseconds: -62_135_596_800_000)
    /// The last representable millisecond, in year 9999.
    public static let latest = WallTime(milliseconds: 253_402_300_799_999)

    /// Clamped to the years 1 to 9999.
    public init(milliseconds: Int64) {
        self.milliseconds = min(max(milliseconds, -62_135_596_800_000), 253_402_300_799_999)
    }

    /// Chronological order.
    public static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    public func since(_ earlier: WallTime) -> Span {
        .milliseconds(Int(clamping: max(0, milliseconds - earlier.milliseconds)))
    }

    /// The moment `span` later; stays within the years.
    public static func + (time: WallTime, span: Span) -> WallTime {
        WallTime(milliseconds: time.milliseconds + Int64(span.nanoseconds / 1_000_000))
    }

    /// The moment `span` earlier; stays within the years.
    public static func - (time: WallTime, span: Span) -> WallTime {
        WallTime(milliseconds: time.milliseconds - Int64(span.nanoseconds / 1_000_000))
    }

    /// A civil date and time of the proleptic Gregorian calendar, without a zone.
    public struct Civil: Equatable, Sendable {
        /// Year 1 to 9999, month 1 to 12, day 1 to 31.
        public var year: Int, month: Int, day: Int
        /// Hour 0 to 23, minute and second 0 to 59, millisecond 0 to 999.
        public var hour: Int, minute: Int, second: Int, millisecond: Int
        /// 0 for Sunday to 6 for Saturday.
        public var weekday: Int
    }

    /// The civil time at an offset east of UTC, in seconds.
    public func civil(offset: Int = 0) -> Civil {
        let local = WallTime(milliseconds: milliseconds + Int64(max(-86_400, min(86_400, offset))) * 1000).milliseconds
        let days = Int(local.floorDivided(by: 86_400_000))
        let rest = Int(local - Int64(days) * 86_400_000)
        let (year, month, day) = civilDate(daysSinceEpoch: days)
        return Civil(
            year: year, month: month, day: day,
            hour: rest / 3_600_000, minute: rest / 60_000 % 60, second: rest / 1000 % 60, millisecond: rest % 1000,
            weekday: ((days % 7) + 11) % 7)
    }

    /// Builds a moment from civil fields at an offset east of UTC; `nil` when a field is out of range.
    /// - Parameters:
    ///   - offset: seconds east of UTC, at most a day either way.
    public init?(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, millisecond: Int = 0,
        offset: Int = 0
    ) {
        // 60 is a leap second (RFC 3339, §5.7): it counts as the last second of its minute.
        guard (1...9999).contains(year), (1...12).contains(month), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (0...999).contains(millisecond), (-86_400...86_400).contains(offset),
            day >= 1, day <= daysInMonth(year: year, month: month)
        else { return nil }
        let days = daysSinceEpoch(year: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + min(second, 59) - offset
        self.init(milliseconds: Int64(seconds) * 1000 + Int64(millisecond))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-22T14:02:07.112Z`.
    public var rfc3339: String {
        let civil = civil()
        return "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
            + "T\(padded(civil.hour, 2)):\(padded(civil.minute, 2)):\(padded(civil.second, 2))"
            + ".\(padded(civil.millisecond, 3))Z"
    }
}

/// A number with leading zeros.
package func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : -((divisor - 1 - self) / divisor)
    }
}

private func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

private func daysInMonth(year: Int, month: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

// Days from civil and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Eras of 400 years from
// March.
private func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

private func civilDate(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
}
