// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Queues
import RegistryStore
import Relaying

/// Makes the data directory and, at first start, the server's key in it, and opens the store and the port.
/// - Parameters:
///   - report: called for each handled datagram; it must not wait.
///   - notify: called with what an operator should know, in one sentence.
func openServer(
    _ settings: ServerSettings, report: (@Sendable (IndexEvent, Span) -> Void)? = nil,
    notify: (@Sendable (String) -> Void)? = nil
) throws(ProgramFailure) -> IndexServer {
    let directory = settings.dataDirectory
    try makeDirectory(directory)
    try lockDirectory(directory, for: "parley-index", option: "--data-dir")
    let (store, notices) = try openStore(settings)
    let configuration = IndexServerConfiguration(
        listen: settings.listen, control: settings.controlPath, metrics: settings.metrics, version: parleyVersion,
        identity: try loadIdentity(directory), limits: settings.limits,
        relay: settings.relays ? settings.relayLimits : nil, secondPort: settings.secondPort, loops: settings.loops,
        store: store, notices: notices)
    do throws(NetworkError) {
        return try IndexServer(configuration, clocks: .system, report: report, notify: notify)
    } catch {
        throw ProgramFailure(.failure, "\(error)")
    }
}

private func openStore(
    _ settings: ServerSettings
) throws(ProgramFailure) -> (store: any IndexStore, notices: [String]) {
    switch settings.store {
    case .memory: return (VolatileStore(), [])
    case .sqlite:
        do throws(IndexStoreFault) {
            let limits = settings.limits
            let store = try SQLiteRegistry(
                directory: settings.dataDirectory, keyedLease: limits.keyedLease, seedLease: limits.seedLease,
                seedCapacity: limits.seeds, wall: Clocks.system.wall)
            return (store, store.notice.map { [$0] } ?? [])
        } catch {
            throw ProgramFailure(.failure, "\(error)")
        }
    }
}

extension ServerSettings {
    /// Bounds and rates as the server takes them.
    var limits: IndexLimits {
        var limits = IndexLimits()
        limits.keyed = keyedCapacity
        limits.seeds = seedCapacity
        limits.requests = .init(perSecond: requestsPerSecond, burst: requestBurst)
        limits.registrations = .init(perSecond: registrationsPerSecond, burst: registrationBurst)
        limits.limitsLoopback = limitsLoopback
        return limits
    }

    /// What may be passed on, if anything is.
    var relayLimits: RelayLimits {
        var limits = RelayLimits()
        limits.bytesPerSecond = relayBitsPerSecond / 8
        limits.burst = relayBurst
        limits.totalBytesPerSecond = relayTotalBitsPerSecond / 8
        limits.channels = relayChannels
        return limits
    }
}

/// What users pin must be the same after each start.
private func loadIdentity(_ directory: String) throws(ProgramFailure) -> Identity {
    do throws(IdentityFileError) {
        return try IdentityFile.loadOrCreate(home: directory, isHomeShared: true).identity
    } catch {
        throw ProgramFailure(.failure, "\(error)")
    }
}

extension IndexServer {
    /// Starts it, or says what is in the way.
    nonisolated func startOrExplain() async throws(ProgramFailure) {
        do throws(NetworkError) { try await start() } catch { throw ProgramFailure(.failure, "\(error)") }
    }
}

/// Makes a directory that only its owner may enter, and those above it; one that is there stays as it is.
private func makeDirectory(_ path: String) throws(ProgramFailure) {
    var place = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        place += "/" + part
        if mkdir(place, 0o700) != 0, errno != EEXIST { break }
    }
    guard access(path, W_OK | X_OK) == 0 else {
        let reason = systemReason(errno)
        throw ProgramFailure(
            .failure, "The data directory \(path) can't be used: \(reason); choose another one with --data-dir.")
    }
}
