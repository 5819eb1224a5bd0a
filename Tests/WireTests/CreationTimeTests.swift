// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing
import Wire

@Suite struct `A creation time` {
    @Test(arguments: [
        // The seed's printer: a space before the zone, nanoseconds or none.
        ("2024-02-26 10:30:33.169463804 +01:00", "2024-02-26T09:30:33.169Z"),
        ("2024-02-26 10:30:33 +00:00", "2024-02-26T10:30:33.000Z"),
        ("2024-02-26 10:30:33.5 UTC", "2024-02-26T10:30:33.500Z"),
        ("2024-02-26 10:30:33.169463804 -09:30", "2024-02-26T20:00:33.169Z"),
        // RFC 3339.
        ("2024-02-26T09:30:33Z", "2024-02-26T09:30:33.000Z"),
        ("2024-02-26T09:30:33.169Z", "2024-02-26T09:30:33.169Z"),
        ("2024-02-26t09:30:33.9999999999999999999z", "2024-02-26T09:30:33.999Z"),
        ("2024-02-26T09:30:33+05:45", "2024-02-26T03:45:33.000Z"),
        ("2024-02-26T00:30:00-00:00", "2024-02-26T00:30:00.000Z"),
        ("2024-02-29T23:59:59.999-23:59", "2024-03-01T23:58:59.999Z"),
        ("1850-01-01T00:00:00+00:17:30", "1849-12-31T23:42:30.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        // A leap second is the last of its minute.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
        // Seconds since the epoch, below 1e11; milliseconds from there on.
        ("1708939833", "2024-02-26T09:30:33.000Z"),
        ("1708939833.169", "2024-02-26T09:30:33.169Z"),
        ("1708939833169", "2024-02-26T09:30:33.169Z"),
        ("99999999999", "5138-11-16T09:46:39.000Z"),
        ("100000000000", "1973-03-03T09:46:40.000Z"),
        ("1", "1970-01-01T00:00:01.000Z"),
        ("253402300799999", "9999-12-31T23:59:59.999Z"),
    ])
    func `is read from every form of text`(written: String, expected: String) {
        #expect(CreationTime.read(.string(written))?.rfc3339 == expected)
    }

    @Test(arguments: [
        ("1708939833", "2024-02-26T09:30:33.000Z"),
        ("1708939833.169", "2024-02-26T09:30:33.169Z"),
        ("1708939833169", "2024-02-26T09:30:33.169Z"),
        ("1.708939833169e12", "2024-02-26T09:30:33.169Z"),
        ("1.708939833E+9", "2024-02-26T09:30:33.000Z"),
        ("99999999999", "5138-11-16T09:46:39.000Z"),
        ("99999999999.5", "5138-11-16T09:46:39.500Z"),
        ("100000000000", "1973-03-03T09:46:40.000Z"),
        ("1e11", "1973-03-03T09:46:40.000Z"),
        ("253402300799999", "9999-12-31T23:59:59.999Z"),
    ])
    func `is read from every form of number`(written: String, expected: String) throws {
        #expect(CreationTime.read(try JSONValue(parsing: Array(written.utf8)))?.rfc3339 == expected)
    }

    @Test(arguments: [
        "", "0", "00", "0.0", "-1", "-1708939833", "+1", " 1", "1 ", "1e9", "0x10", "1.2.3", ".", "1,5", "١٢٣", "nan",
        "inf", "infinity", "99999999999999999999999999999999", "253402300800000", "yesterday", "now",
        "2024-02-26", "2024-02-26T09:30:33", "2024-02-26 09:30:33", "2024-02-26T09:30Z", "20240226T093033Z",
        "24-02-26T09:30:33Z", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z",
        "2024-00-26T09:30:33Z", "2024-13-26T09:30:33Z", "2024-02-30T09:30:33Z", "2023-02-29T09:30:33Z",
        "2024-02-26T24:00:00Z", "2024-02-26T09:60:33Z", "2024-02-26T09:30:61Z", "2024-02-26T09:30:33.Z",
        "2024-02-26T09:30:33,5Z", "2024-02-26T09:30:33+24:00", "2024-02-26T09:30:33+01:60", "2024-02-26T09:30:33+0100",
        "2024-02-26T09:30:33+01:00:60", "2024-02-26T09:30:33 U+01:00", "2024-02-26T09:30:33UT-01:00",
        "2024-02-26T09:30:33 CET", "2024-02-26T09:30:33Z ", "2024-02-26T09:30:33ZZ", "2024-02-26T09:30:33Z\0",
        " 2024-02-26T09:30:33Z", "2024/02/26T09:30:33Z", "２０２４-02-26T09:30:33Z",
    ])
    func `that is unreadable is unknown`(written: String) {
        #expect(CreationTime.read(.string(written)) == nil)
    }

    @Test(arguments: [
        "0", "-0", "0.0", "-1", "-1708939833.5", "1e400", "-1e400", "1e19", "9223372036854775807",
        "-9223372036854775808", "99999999999999999999999", "253402300800000", "null", "true", "[1708939833]",
        #"{"s":1708939833}"#,
    ])
    func `that is no moment is unknown`(written: String) throws {
        #expect(CreationTime.read(try JSONValue(parsing: Array(written.utf8))) == nil)
    }

    @Test(arguments: [Double.nan, -.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.leastNonzeroMagnitude])
    func `of no finite number is unknown`(number: Double) {
        #expect(CreationTime.read(.number(number)) == nil)
    }

    @Test func `that is missing is unknown`() {
        #expect(CreationTime.read(nil) == nil)
    }

    @Test func `comes back as it was written`() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<2_000 {
            let range = WallTime.earliest.milliseconds...WallTime.latest.milliseconds
            let time = WallTime(milliseconds: .random(in: range, using: &random))
            #expect(CreationTime.read(.string(time.rfc3339)) == time)
        }
    }
}
