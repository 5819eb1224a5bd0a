// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// `creation_time` in every form that programs on the seed's wire write.
public enum CreationTime {
    /// From this number on an epoch counts milliseconds, below it seconds.
    private static let millisecondThreshold = 1e11

    /// Reads the seed's printer (`2024-02-26 10:30:33.169463804 +01:00`), RFC 3339, and seconds or milliseconds since the
    /// epoch as a number or a text.
    /// - Returns: `nil`, "time unknown", for `0` and whatever else: never the present.
    public static func read(_ value: JSONValue?) -> WallTime? {
        switch value {
        case .integer(let number): epoch(Double(number))
        case .number(let number): epoch(number)
        case .string(let text): read(text)
        default: nil
        }
    }

    /// Reads a text.
    public static func read(_ text: String) -> WallTime? {
        var scanner = TimeScanner(text)
        if let time = scanner.time() { return time }
        guard text.utf8.count <= 32, let first = text.utf8.first, (0x30...0x39).contains(first),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }), let number = Double(text)
        else { return nil }
        return epoch(number)
    }

    private static func epoch(_ number: Double) -> WallTime? {
        let milliseconds = number < millisecondThreshold ? number * 1000 : number
        guard number > 0, milliseconds <= Double(WallTime.latest.milliseconds) else { return nil }
        return Int64(exactly: milliseconds.rounded(.down)).map(WallTime.init(milliseconds:))
    }
}

/// `YYYY-MM-DD`, then `T` or a space, `hh:mm:ss`, a fraction, and a zone: `Z`, `UTC`, `+hh:mm` or `+hh:mm:ss`.
private struct TimeScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    mutating func time() -> WallTime? {
        guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2),
            take("T") || take("t") || take(" "), let hour = number(2), take(":"), let minute = number(2), take(":"),
            let second = number(2), let millisecond = fraction(), let offset = zone(), rest.isEmpty
        else { return nil }
        return WallTime(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: millisecond,
            offset: offset)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func number(_ digits: Int) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    private mutating func digit() -> Int? {
        guard let byte = rest.first, (0x30...0x39).contains(byte) else { return nil }
        rest = rest.dropFirst()
        return Int(byte) - 0x30
    }

    /// Any number of digits; beyond milliseconds they are cut off.
    private mutating func fraction() -> Int? {
        guard take(".") else { return 0 }
        guard var value = digit() else { return nil }
        value *= 100
        var scale = 10
        while let next = digit() {
            value += next * scale
            scale /= 10
        }
        return value
    }

    private mutating func zone() -> Int? {
        _ = take(" ")
        if rest.elementsEqual("UTC".utf8) {
            rest = rest.dropFirst(3)
            return 0
        }
        if take("Z") || take("z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60
        else { return nil }
        var seconds = 0
        if take(":") {
            guard let value = number(2), value < 60 else { return nil }
            seconds = value
        }
        let offset = hours * 3600 + minutes * 60 + seconds
        return isWest ? -offset : offset
    }
}
