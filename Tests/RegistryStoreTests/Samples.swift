// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Queues
import RegistryStore
import Support

let keyedLease = Span.seconds(7200)
let seedLease = Span.seconds(86_400)
/// 2026-11-22T20:00:00Z
let evening = WallTime(milliseconds: 1_795_377_600_000)

extension WallTime {
    static func + (moment: WallTime, span: Span) -> WallTime {
        WallTime(milliseconds: moment.milliseconds + Int64(span.nanoseconds / 1_000_000))
    }

    static func - (moment: WallTime, span: Span) -> WallTime {
        WallTime(milliseconds: moment.milliseconds - Int64(span.nanoseconds / 1_000_000))
    }
}

/// A peer with a key; its ID is as random as a hash.
func keyed(_ number: UInt64) -> PeerID {
    var mix = SplitMix64(seed: number)
    return PeerID(high: mix.next(), low: mix.next()).stamped(version: 8)
}

func seed(_ number: UInt64) -> PeerID {
    var mix = SplitMix64(seed: ~number)
    return PeerID(high: mix.next(), low: mix.next()).stamped(version: 4)
}

/// The registration of a peer with a key. Every third has an IPv6 address.
func keyedRow(
    _ number: UInt64, record: Int = 170, sequence: UInt64? = nil, at now: WallTime = evening
) -> StoredRegistration {
    StoredRegistration(
        peer: keyed(number), address: address(number),
        record: Array(repeating: UInt8(truncatingIfNeeded: number), count: record),
        sequence: sequence ?? .max - number, registered: now, expires: now + keyedLease)
}

func seedRow(_ number: UInt64, at now: WallTime = evening) -> StoredRegistration {
    StoredRegistration(
        peer: seed(number), address: address(number), registered: now, expires: now + seedLease)
}

private func address(_ number: UInt64) -> Endpoint {
    let port = UInt16(truncatingIfNeeded: number) | 1
    return number % 3 == 0
        ? Endpoint(address: .v6(0x2001_0DB8_0000_0000, number), port: port)
        : Endpoint(address: .v4(0xC000_0200 | UInt32(truncatingIfNeeded: number)), port: port)
}

/// A data directory and a clock that stands still until it is set.
final class Shelf: Sendable {
    let directory: TemporaryDirectory
    let now = Lock(evening)
    var path: String { directory.file("registry.sqlite") }

    init() throws { directory = try TemporaryDirectory() }

    func open(lease: Span = keyedLease, seedCapacity: Int = 1_000_000) throws(IndexStoreFault) -> SQLiteRegistry {
        try SQLiteRegistry(
            directory: directory.path, keyedLease: lease, seedLease: seedLease, seedCapacity: seedCapacity
        ) { [now] in now.withLock { $0 } }
    }

    /// Opens a run at a time, and asks for everything.
    func loadedAtRestart(_ moment: WallTime? = nil) async throws -> [LoadedRegistration] {
        if let moment { now.withLock { $0 = moment } }
        let store = try open()
        let loaded = try await store.everything()
        await store.close()
        return loaded
    }
}

extension SQLiteRegistry {
    /// All rows in the order of arrival: seed peers come the newest first.
    func everything() async throws(IndexStoreFault) -> [LoadedRegistration] {
        let rows = Lock<(keyed: [LoadedRegistration], seeds: [LoadedRegistration])>(([], []))
        try await load { page in
            rows.withLock { rows in
                rows.keyed += page.filter(\.row.peer.isKeyed)
                rows.seeds += page.filter { !$0.row.peer.isKeyed }
            }
        }
        return rows.withLock { $0.keyed + $0.seeds.reversed() }
    }
}

extension [StoredRegistration] {
    var puts: [RegistryChange] { map(RegistryChange.put) }
}
