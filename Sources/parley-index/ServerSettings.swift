// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model
import Network
import Wire

/// Everything that an operator decides about a server, and who said so.
struct ServerSettings: Equatable, Sendable {
    var listen = ListenAddress(port: WireLimits.indexPort)
    /// Where the server keeps its files; empty as long as nobody said.
    var dataDirectory = ""
    var store = StoreKind.sqlite
    /// Path of the control socket; empty for `control.sock` in the data directory.
    var control = ""
    /// Where Prometheus may read, an address always named; `nil` for nowhere.
    var metrics: ListenAddress?
    var isHeadless = false
    var logFormat = LogFormat.text
    var logLevel = LogLevel.info
    /// Threads that answer; 0 for one a processor.
    var loops = 0
    /// Rows of peers with a key.
    var keyedCapacity = 1_000_000
    /// Rows of seed peers.
    var seedCapacity = 1_000_000
    /// Datagrams a second from one IPv4 /24 or IPv6 /48, and how many at once.
    var requestsPerSecond = 2000
    var requestBurst = 8000
    /// The same for what costs a signature or a row.
    var registrationsPerSecond = 200
    var registrationBurst = 2000
    /// Whether this machine's own programs are limited too.
    var limitsLoopback = false
    /// Whether datagrams are passed on between peers that call each other.
    var relays = false
    /// What one pair may send: bits a second, and octets at once.
    var relayBitsPerSecond = 64_000
    var relayBurst = 128 * 1024
    /// What all pairs may send together, in bits a second.
    var relayTotalBitsPerSecond = 100_000_000
    /// Pairs at a time.
    var relayChannels = 10_000
    /// A port that only tells who asks where it is seen; 0 for any, `nil` for none.
    var secondPort: UInt16? = 0

    /// Key → who said so; whoever isn't in it has the default.
    var origins: [String: SettingOrigin] = [:]

    func origin(of key: String) -> SettingOrigin { origins[key, default: .builtIn] }

    var controlPath: String { control.isEmpty ? dataDirectory + "/control.sock" : control }
}

/// Where registrations are kept.
enum StoreKind: String, CaseIterable, Sendable { case sqlite, memory }

extension ServerSettings {
    /// What came of everything that was said.
    struct Resolution: Equatable, Sendable {
        var settings = ServerSettings()
        /// Sentences about values that can't be; the settings hold what was there before.
        var faults: [String] = []
        /// Sentences about what nobody will read.
        var warnings: [String] = []
    }

    /// Decides each setting by the strongest who spoke of it.
    /// - Parameter directory: the data directory when nobody names one.
    static func resolve(_ layers: SettingsLayers, directory: String?) -> Resolution {
        var result = Resolution(faults: layers.faults, warnings: layers.unknownEntries(known: Setting.keys))
        for setting in Setting.all {
            guard let (value, origin) = layers[setting.key] else { continue }
            if let wanted = setting.take(value, &result.settings) {
                result.faults.append("\(origin): \(setting.key) must be \(wanted), not '\(value)'.")
            } else {
                result.settings.origins[setting.key] = origin
            }
        }
        if result.settings.dataDirectory.isEmpty { result.settings.dataDirectory = directory ?? "" }
        if result.settings.dataDirectory.isEmpty {
            result.faults.append("Neither HOME nor XDG_DATA_HOME is set; say where to live with --data-dir.")
        }
        return result
    }
}

// MARK: - Reload

/// What a new reading of the settings changes in a running server.
struct SettingChanges: Equatable, Sendable {
    struct Change: Equatable, Sendable, CustomStringConvertible {
        var key: String
        var old: String
        var new: String

        var description: String { "\(key) \(old) -> \(new)" }
    }

    /// In force from now on.
    var applied: [Change] = []
    /// As before until the next start.
    var needsRestart: [Change] = []
    /// What is in force from now on.
    var settings: ServerSettings
}

extension ServerSettings {
    /// Sorts what differs in `new` by whether a running server can take it.
    func changes(to new: ServerSettings) -> SettingChanges {
        var changes = SettingChanges(settings: self)
        for setting in Setting.all {
            let change = SettingChanges.Change(key: setting.key, old: setting.show(self), new: setting.show(new))
            guard change.old != change.new else { continue }
            guard setting.isReloadable else {
                changes.needsRestart.append(change)
                continue
            }
            setting.copy(new, &changes.settings)
            changes.settings.origins[setting.key] = new.origins[setting.key]
            changes.applied.append(change)
        }
        return changes
    }
}
