// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model
import Network

/// One row of the table of settings: what the file, the environment, the command line, `check --show` and the reload
/// know of it.
struct Setting: Sendable {
    /// Its name in the file; `--data-dir` and `PARLEY_INDEX_DATA_DIR` follow from it.
    let key: String
    /// Sets it, or says what it would have to be.
    let take: @Sendable (SettingsFile.Value, inout ServerSettings) -> String?
    /// Its value as one would write it.
    let show: @Sendable (ServerSettings) -> String
    /// Takes it over from other settings.
    let copy: @Sendable (ServerSettings, inout ServerSettings) -> Void
    /// Whether a running server can change it.
    var isReloadable = false

    static let keys = all.map(\.key)

    static let all: [Setting] = [
        text("listen", \.listen, "PORT, ADDR:PORT or [V6]:PORT", read: { ListenAddress($0) }, show: { "\($0)" }),
        text("data_dir", \.dataDirectory, "a path", read: path),
        text("store", \.store, "sqlite or memory", read: { StoreKind(rawValue: $0) }, show: \.rawValue),
        Setting(
            key: "control",
            take: { value, settings in
                guard case .string(let text) = value, let path = path(text) else { return "a path" }
                settings.control = path
                return nil
            }, show: \.controlPath, copy: { $1.control = $0.control }),
        text(
            "metrics", \.metrics, "ADDR:PORT, a PORT of this machine alone, or none", read: metrics,
            show: { $0.map { "\($0)" } ?? "none" }),
        flag("headless", \.isHeadless),
        text("log_format", \.logFormat, "text or json", read: { LogFormat(rawValue: $0) }, show: \.rawValue).reloadable,
        text(
            "log_level", \.logLevel, "error, warn, info or debug", read: { LogLevel(name: $0) }, show: { "\($0)" }
        ).reloadable,
        number("loops", \.loops, 0...64),
        number("keyed_capacity", \.keyedCapacity, 1...100_000_000),
        number("seed_capacity", \.seedCapacity, 1...100_000_000),
        number("limit_requests_per_s", \.requestsPerSecond, 1...1_000_000).reloadable,
        number("limit_burst", \.requestBurst, 1...1_000_000).reloadable,
        number("limit_registrations_per_s", \.registrationsPerSecond, 1...1_000_000).reloadable,
        number("limit_registrations_burst", \.registrationBurst, 1...1_000_000).reloadable,
        flag("limit_loopback", \.limitsLoopback).reloadable,
        flag("relay", \.relays),
        number("relay_rate_bits_per_s", \.relayBitsPerSecond, 1000...100_000_000_000).reloadable,
        number("relay_burst_bytes", \.relayBurst, 2048...1_000_000_000).reloadable,
        number("relay_total_bits_per_s", \.relayTotalBitsPerSecond, 8000...1_000_000_000_000).reloadable,
        number("relay_channels", \.relayChannels, 1...1_000_000),
        text(
            "second_port", \.secondPort, "a port, 0 for any, or none", read: optionalPort,
            show: { $0.map { "\($0)" } ?? "none" }),
    ]

    // MARK: Kinds

    private typealias Place<Value> = WritableKeyPath<ServerSettings, Value> & Sendable

    private static func text<Value>(
        _ key: String, _ place: any Place<Value>, _ wanted: String,
        read: @escaping @Sendable (String) -> Value?, show: @escaping @Sendable (Value) -> String
    ) -> Setting {
        Setting(
            key: key,
            take: { value, settings in
                // A port alone is a number as well.
                if case .boolean = value { return wanted }
                guard let read = read("\(value)") else { return wanted }
                settings[keyPath: place] = read
                return nil
            }, show: { show($0[keyPath: place]) }, copy: { $1[keyPath: place] = $0[keyPath: place] })
    }

    private static func text(
        _ key: String, _ place: any Place<String>, _ wanted: String, read: @escaping @Sendable (String) -> String?
    ) -> Setting { text(key, place, wanted, read: read, show: { $0 }) }

    private static func number(_ key: String, _ place: any Place<Int>, _ range: ClosedRange<Int>) -> Setting {
        Setting(
            key: key,
            take: { value, settings in
                guard let number = integer(value).flatMap(Int.init(exactly:)), range.contains(number) else {
                    return "a whole number from \(range.lowerBound) to \(range.upperBound)"
                }
                settings[keyPath: place] = number
                return nil
            }, show: { "\($0[keyPath: place])" }, copy: { $1[keyPath: place] = $0[keyPath: place] })
    }

    private static func flag(_ key: String, _ place: any Place<Bool>) -> Setting {
        Setting(
            key: key,
            take: { value, settings in
                switch value {
                case .boolean(let flag): settings[keyPath: place] = flag
                case .string("true"), .string("1"): settings[keyPath: place] = true
                case .string("false"), .string("0"): settings[keyPath: place] = false
                default: return "true or false"
                }
                return nil
            }, show: { "\($0[keyPath: place])" }, copy: { $1[keyPath: place] = $0[keyPath: place] })
    }

    private var reloadable: Setting {
        var setting = self
        setting.isReloadable = true
        return setting
    }
}

/// Flags and variables are text, whatever they mean.
private func integer(_ value: SettingsFile.Value) -> Int64? {
    switch value {
    case .integer(let number): number
    case .string(let text): Int64(text.replacing("_", with: ""))
    case .boolean: nil
    }
}

/// A path that the system takes: neither empty nor with a NUL.
@Sendable private func path(_ text: String) -> String? {
    text.isEmpty || text.utf8.contains(0) || text.utf8.count > 4000 ? nil : text
}

/// Outer `nil`: unreadable; inner: none. A port alone is on loopback.
@Sendable private func metrics(_ text: String) -> ListenAddress?? {
    if text == "none" { return .some(nil) }
    guard var address = ListenAddress(text), address.port != 0 else { return nil }
    let isWildcard = text.hasPrefix("[")
    address.address = address.address ?? (isWildcard ? .v6(0, 0) : Endpoint.loopback(address.port).address)
    return .some(address)
}

/// Outer `nil`: unreadable; inner: none.
@Sendable private func optionalPort(_ text: String) -> UInt16?? {
    text == "none" ? .some(nil) : UInt16(text).map { .some($0) }
}
