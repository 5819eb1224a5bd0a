// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText

/// `9 s`, `58 m`, `3 h`, `4 d`: the largest unit, without the space where room is dear.
func brief(_ span: Span, spaced: Bool = false) -> DisplayText {
    let seconds = span.wholeSeconds
    let gap = spaced ? " " : ""
    return switch seconds {
    case ..<60: "\(seconds)\(gap)s"
    case ..<3600: "\(seconds / 60)\(gap)m"
    case ..<86_400: "\(seconds / 3600)\(gap)h"
    default: "\(seconds / 86_400)\(gap)d"
    }
}

/// `04:11:09`, and the days before it.
func uptime(_ span: Span) -> DisplayText {
    let seconds = span.wholeSeconds
    let days = seconds / 86_400
    let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map(twoDigits).joined(separator: ":")
    return days > 0 ? "\(days) d \(clock)" : DisplayText(clock)
}

/// `14:31:07`.
func clock(_ time: WallTime, offset: Int) -> DisplayText {
    let civil = time.civil(offset: offset)
    return DisplayText([civil.hour, civil.minute, civil.second].map(twoDigits).joined(separator: ":"))
}

/// `14:31:07.112`.
func preciseClock(_ time: WallTime, offset: Int) -> DisplayText {
    let milliseconds = String(time.civil(offset: offset).millisecond)
    return clock(time, offset: offset)
        + DisplayText("." + String(repeating: "0", count: 3 - milliseconds.count) + milliseconds)
}

/// `Sun 22 Nov`.
func date(_ time: WallTime, offset: Int) -> DisplayText {
    let civil = time.civil(offset: offset)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return "\(days[civil.weekday % 7]) \(civil.day) \(months[(civil.month - 1) % 12])"
}

/// `180 us`, `1.9 ms`, `2.1 s`, `3 m`.
func latency(_ span: Span, _ glyphs: Glyphs) -> DisplayText {
    func tenths(_ unit: UInt64) -> String { "\(span.nanoseconds / unit).\(span.nanoseconds / (unit / 10) % 10)" }
    return switch span.nanoseconds {
    case ..<1_000_000: "\(span.nanoseconds / 1000) " + glyphs.micro
    case ..<1_000_000_000: "\(tenths(1_000_000)) ms"
    case ..<60_000_000_000: "\(tenths(1_000_000_000)) s"
    default: brief(span, spaced: true)
    }
}

/// `1.0 s`.
func interval(_ span: Span) -> DisplayText {
    let tenths = span.nanoseconds / 100_000_000
    return "\(tenths / 10).\(tenths % 10) s"
}

private func twoDigits(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }

extension IndexOperation {
    /// Four letters.
    var letters: DisplayText {
        switch self {
        case .query: "LOOK"
        case .registration: "REG"
        case .keepalive: "KEEP"
        case .call: "CALL"
        case .seen: "SEEN"
        case .unknown: "?"
        }
    }
}

extension IndexTarget {
    /// The first digits of a UUID, or what stood in its place.
    func brief(ascii: Bool) -> DisplayText {
        switch self {
        case .peer(let peer): DisplayText(peer.shortDigits)
        case .text(let text): foreign(text, ascii: ascii)
        case .none: "-"
        }
    }
}

/// Text from outside, the beginning of it; on a terminal that draws only ASCII the rest becomes `?`, and the brackets
/// of controls `<` and `>`.
func foreign(_ text: some StringProtocol, style: DisplayText.Style = .visible, ascii: Bool) -> DisplayText {
    let shown = DisplayText(String(String.UnicodeScalarView(text.unicodeScalars.prefix(512))), style: style)
    guard ascii else { return shown }
    let plain = shown.string.map { (cluster: Character) -> Character in
        switch cluster {
        case "‹": "<"
        case "›": ">"
        default: cluster.isASCII ? cluster : "?"
        }
    }
    return DisplayText(String(plain))
}

extension RowSort {
    var title: DisplayText { DisplayText(rawValue) }
}
