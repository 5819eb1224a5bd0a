// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine

@testable import Sessions

/// Two connections with nothing between them.
final class QuicPair {
    let client: QuicConnection
    private(set) var server: QuicConnection?
    private(set) var clientEnd: SessionEnd?
    private(set) var serverEnd: SessionEnd?
    private let serverIdentity: QuicIdentity
    private let pinnedByServer: PeerKey?
    private let limits: SessionLimits
    private var now = Instant(nanoseconds: 1_000_000_000)

    init?(_ client: Identity, _ server: Identity, pinnedByServer: PeerKey? = nil, limits: SessionLimits = .init()) {
        guard
            let dialler = QuicConnection(
                dial: server.key, identity: QuicIdentity(client), limits: limits, now: now)
        else { return nil }
        self.client = dialler
        serverIdentity = QuicIdentity(server)
        self.pinnedByServer = pinnedByServer
        self.limits = limits
    }

    /// Carries packets until there are no more.
    func run() {
        var packets = 0
        repeat {
            now = now + .milliseconds(1)
            let (there, back) = (written(client, &clientEnd), server.map { written($0, &serverEnd) } ?? [])
            for packet in there { packet.withUnsafeBufferPointer(takeAtServer) }
            for packet in back { packet.withUnsafeBufferPointer { read($0, client, &clientEnd) } }
            packets = there.count + back.count
        } while packets > 0
    }

    private func takeAtServer(_ packet: UnsafeBufferPointer<UInt8>) {
        server =
            server
            ?? QuicConnection(
                accept: packet, from: .loopback(1), retrySecret: nil, pinned: pinnedByServer,
                identity: serverIdentity, limits: limits, now: now)
        if let server { read(packet, server, &serverEnd) }
    }

    private func written(_ connection: QuicConnection, _ end: inout SessionEnd?) -> [[UInt8]] {
        guard end == nil else { return [] }
        var packets: [[UInt8]] = []
        do throws(QuicConnection.Failure) {
            if let expiry = connection.expiry, expiry <= now { try connection.expire(now: now) }
            try connection.write(now: now, mac: nil) { packets.append(Array($0.dropFirst())) }
        } catch {
            end = error.end
        }
        return packets
    }

    private func read(
        _ packet: UnsafeBufferPointer<UInt8>, _ connection: QuicConnection, _ end: inout SessionEnd?
    ) {
        guard end == nil else { return }
        do throws(QuicConnection.Failure) {
            try connection.read(packet, now: now)
        } catch {
            end = error.end
        }
    }
}
