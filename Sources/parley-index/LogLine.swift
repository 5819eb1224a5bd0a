// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import IndexEngine
import Model
import SafeText
import Wire

/// One line of the log, before it is text or JSON.
enum LogLine: Equatable, Sendable {
    /// A handled datagram.
    case request(IndexEvent, took: Span)
    /// Something about the server itself: one word for programs, one sentence for people, and figures.
    case notice(LogLevel, event: String, text: String, fields: JSONObject = [:], at: WallTime)

    var level: LogLevel {
        switch self {
        case .request(let event, _): event.result.isError ? .warn : .info
        case .notice(let level, _, _, _, _): level
        }
    }

    /// How a log writes its lines.
    struct Style: Equatable, Sendable {
        var format = LogFormat.text
        /// Lines that matter less are not written; at `debug`, addresses are whole.
        var level = LogLevel.info
        /// The journal reads the lines: it knows the time, and wants to know what matters.
        var isJournal = false
    }

    /// The line and its newline: printable, whatever strangers sent.
    func bytes(_ style: Style) -> [UInt8] {
        switch style.format {
        case .json: json(style).encoded(.invisible) + [0x0A]
        case .text:
            Array(((style.isJournal ? "<\(level.syslogPriority)>" : "") + DisplayText(text(style)).string + "\n").utf8)
        }
    }

    private func json(_ style: Style) -> JSONObject {
        switch self {
        case .request(let event, let took):
            var object: JSONObject = [
                "ts": .string(event.time.rfc3339), "level": .string("\(level)"), "event": "request",
                "src": .string(event.source.cut(style)), "op": .string(event.operation.rawValue),
            ]
            switch event.target {
            case .peer(let id): object["uuid"] = .string("\(id)")
            case .text(let text): object["text"] = .string(text)
            case .none: break
            }
            object["result"] = .string(event.result.word)
            object["dur_us"] = .integer(Int64(clamping: took.nanoseconds / 1000))
            return object
        case .notice(let level, let event, let text, let fields, let time):
            var object: JSONObject = [
                "ts": .string(time.rfc3339), "level": .string("\(level)"), "event": .string(event),
                "message": .string(text),
            ]
            for (name, value) in fields.members { object[name] = value }
            return object
        }
    }

    private func text(_ style: Style) -> String {
        switch self {
        case .request(let event, let took):
            let subject =
                switch event.target {
                case .peer(let id): " \(id)"
                case .text(let text): " \"\(text)\""
                case .none: ""
                }
            return stamp(event.time, style) + "\(event.operation.rawValue) \(event.result.word)\(subject)"
                + " from \(event.source.cut(style)) \(took.nanoseconds / 1000)us"
        case .notice(_, _, let text, _, let time): return stamp(time, style) + text
        }
    }

    private func stamp(_ time: WallTime, _ style: Style) -> String {
        style.isJournal ? "" : "\(time.rfc3339) \(level == .info ? "" : "\(level): ")"
    }
}

extension Endpoint {
    /// Whole at `debug`, else the network that it is in, an IPv4 /24 or an IPv6 /48. Loopback names nobody and stays.
    fileprivate func cut(_ style: LogLine.Style) -> String {
        guard style.level < .debug, !isLoopback else { return description }
        switch address {
        case .v4(let bits): return "\(Endpoint.Address.v4(bits & 0xFFFF_FF00))/24"
        case .v6(let high, _): return "\(Endpoint.Address.v6(high & 0xFFFF_FFFF_FFFF_0000, 0))/48"
        }
    }
}
