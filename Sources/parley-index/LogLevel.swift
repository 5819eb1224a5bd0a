// SPDX-License-Identifier: GPL-3.0-or-later

/// How a log line looks.
enum LogFormat: String, CaseIterable, Sendable { case text, json }

/// How much a log line matters; a log shows those down to its own level.
enum LogLevel: Int, CaseIterable, Comparable, Sendable {
    /// The server can't do its work.
    case error
    /// Somebody erred or tried something, or the server is near a bound.
    case warn
    /// Each request.
    case info
    /// The same, with whole addresses.
    case debug

    init?(name: String) {
        guard let level = LogLevel.allCases.first(where: { "\($0)" == name }) else { return nil }
        self = level
    }

    static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

    /// Its number for syslog(3), which the journal reads in angle brackets before a line (sd-daemon(3)).
    var syslogPriority: Int {
        switch self {
        case .error: 3
        case .warn: 4
        case .info: 6
        case .debug: 7
        }
    }
}
