// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import IndexEngine
import IndexServer
import Model
import Network

/// Makes the data directory and, at first start, the server's key in it, and opens the port.
func openServer(
    _ settings: ServerSettings, report: (@Sendable (IndexEvent, Span) -> Void)?
) throws(ProgramFailure) -> IndexServer {
    let directory = settings.dataDirectory
    try makeDirectory(directory)
    var limits = Registry.Limits()
    limits.keyed = settings.keyedCapacity
    limits.seeds = settings.seedCapacity
    let configuration = IndexServerConfiguration(
        listen: settings.listen, control: settings.controlPath, version: parleyVersion,
        identity: try loadIdentity(directory), limits: limits)
    do throws(NetworkError) {
        return try IndexServer(configuration, clocks: .system, report: report)
    } catch {
        throw ProgramFailure(.failure, "\(error)")
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
    /// Starts it, or says who is in the way.
    nonisolated func startOrExplain() async throws(ProgramFailure) {
        do throws(NetworkError) { try await start() } catch {
            guard error.code == EADDRINUSE, let path = controlPath else { throw ProgramFailure(.failure, "\(error)") }
            throw ProgramFailure(
                .failure, "Another parley-index answers at \(path); stop it or choose another --data-dir.")
        }
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
        let reason = String(cString: strerror(errno)).lowercased()
        throw ProgramFailure(
            .failure, "The data directory \(path) can't be used: \(reason); choose another one with --data-dir.")
    }
}
