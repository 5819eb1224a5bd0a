// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

/// The registry against a dictionary, through random registrations, renewals, expiries and lookups.
struct RegistryModelTests {
    private struct Known {
        var address: Endpoint
        var expires: Instant
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func `rows come and go as in a dictionary`(seed: UInt64) throws {
        var limits = IndexLimits()
        limits.keyedLease = .seconds(100)
        limits.seedLease = .seconds(300)
        var index = IndexHarness(limits: limits)
        var chance = SplitMix64(seed: seed)
        var seeds: [PeerID: Known] = [:]
        var keyed: [PeerID: Known] = [:]
        for step in 0..<4000 {
            let source = Endpoint.loopback(UInt16(1 + chance.next() % 60_000))
            switch chance.next() % 8 {
            case 0...2:
                guard
                    case .registered(let peer, _)? = try index.ask(.registration(.init(address: source)), from: source)
                else { continue }
                seeds[peer] = Known(address: source, expires: index.now + limits.seedLease)
            case 3, 4:
                let row = row(chance.next() % 500, at: source, index)
                if keyed[row.row.peer].map({ $0.expires <= index.now }) ?? true, restore(row, index) {
                    keyed[row.row.peer] = Known(address: source, expires: index.now + limits.keyedLease)
                }
            case 5: index.advance(.seconds(Int(chance.next() % 5)))
            case 6: sweep(index, &keyed)
            default:
                let all = step % 2 == 0 ? keyed : seeds
                guard let (peer, known) = all.randomElement(using: &chance) else { continue }
                let answer = try index.ask(.query(.init(text: "\(peer)")), from: source)
                let address = index.now < known.expires ? known.address : nil
                #expect(answer == .answer(address: address, text: "\(peer)", record: nil))
            }
        }
        let live = [keyed, seeds].map { $0.values.count { index.now < $0.expires } }
        #expect(index.snapshot(SnapshotRequest(rows: RowRequest(limit: 1000))).page.matching == live[0] + live[1])
        index.advance(.seconds(1000))
        _ = index.sweep()
        #expect(index.snapshot().use == RegistryUse())
    }

    /// Only rows that are gone from memory come back from a store.
    private func restore(_ row: LoadedRegistration, _ index: IndexHarness) -> Bool {
        _ = index.sweep()
        index.service.restore([row], now: index.now, wall: index.wall)
        return true
    }

    private func sweep(_ index: IndexHarness, _ keyed: inout [PeerID: Known]) {
        for case .remove(let peer) in index.sweep() {
            #expect(keyed[peer].map { $0.expires <= index.now } == true)
            keyed[peer] = nil
        }
    }

    private func row(_ number: UInt64, at address: Endpoint, _ index: IndexHarness) -> LoadedRegistration {
        let peer = PeerID(high: number &* 0x9E37_79B9_7F4A_7C15, low: number).stamped(version: 8)
        // As much of a record as says that it names an address.
        let record = [UInt8](repeating: 1, count: 48)
        return LoadedRegistration(
            StoredRegistration(
                peer: peer, address: address, record: record, sequence: 1, registered: index.wall,
                expires: index.wall), remaining: .seconds(100))
    }
}

struct SpoofTests {
    /// A million from forged sources, each with the owner's own record, which anybody can read in an answer.
    @Test func `spoofed registrations change no keyed row`() throws {
        var limits = IndexLimits()
        (limits.requests, limits.registrations) = (
            .init(perSecond: 1_000_000, burst: 1_000_000), .init(perSecond: 1_000_000, burst: 1_000_000)
        )
        var index = IndexHarness(limits: limits)
        let (identity, home) = (Identity(), Endpoint.loopback(50_001))
        _ = try index.register(identity, from: home)
        let record = try index.record(identity, at: home)
        let before = index.snapshot()
        let forged = [nil, [UInt8](repeating: 7, count: 16)].map { cookie in
            IndexRequest.registration(
                .init(address: home, signed: .init(peer: identity.peer, record: record, cookie: cookie))
            ).encoded()
        }
        var chance = SplitMix64(seed: 3)
        var (sent, answered) = (0, 0)
        for number in 0..<(isSlow ? 2000 : 20_000 * soak) {
            let source = Endpoint(
                address: .v4(UInt32(truncatingIfNeeded: chance.next())), port: UInt16(truncatingIfNeeded: chance.next())
            )
            let request = forged[number % 2]
            let outcome = index.send(request, from: source)
            sent += request.count
            answered += outcome.reply?.count ?? 0
            #expect(outcome.change == nil)
        }
        #expect(answered <= sent)
        let after = index.snapshot()
        #expect(after.page.rows.map(\.sequence) == before.page.rows.map(\.sequence))
        #expect(after.page.rows.map(\.address) == [home])
        #expect(after.use == before.use)
    }
}
