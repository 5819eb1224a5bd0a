// SPDX-License-Identifier: GPL-3.0-or-later
import DashboardScreen
import IndexEngine
import IndexServer

/// Where a dashboard's snapshots come from.
enum SnapshotSource: Sendable {
    /// A server in this process.
    case server(IndexServer)
    /// A server in another one.
    case visitor(ControlClient)

    var role: DashboardState.Role {
        switch self {
        case .server: .server
        case .visitor: .visitor
        }
    }

    /// Asks; waits as long as an answer takes.
    /// - Returns: `nil` when no server is there.
    func snapshot(for request: SnapshotRequest) async -> IndexSnapshot? {
        switch self {
        case .server(let server): await server.snapshot(for: request)
        case .visitor(let client): await client.snapshot(for: request)
        }
    }
}
