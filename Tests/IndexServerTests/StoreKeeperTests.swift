// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
@testable import IndexServer
import Model
@testable import Network
import Reactor
import Testing

@Suite(.timeLimit(.minutes(1))) struct StoreKeeperTests {
    @Test func `whatever order loops queue in, the store gets what memory holds`() async throws {
        let (store, clocks, peer) = (try FakeStore(), Clocks.system, Identity().peer)
        let wall = clocks.wall()
        func row(_ port: UInt16, _ sequence: UInt64) -> StoredRegistration {
            StoredRegistration(
                peer: peer, address: .loopback(port), record: [1], sequence: sequence, registered: wall,
                expires: WallTime(milliseconds: wall.milliseconds + 7_200_000))
        }
        let info = ServerInfo(version: "test", listen: "", boot: "b")
        let service = IndexService(info: info, secret: Array(repeating: 7, count: 32), now: clocks.monotonic())
        service.restore(
            [LoadedRegistration(row(2, 2), remaining: .seconds(7200))], now: clocks.monotonic(), wall: wall)
        let keeper = try StoreKeeper(store, service: service, clocks: clocks) { _ in }
        keeper.loop.start()
        await keeper.start([])
        let changes: [RegistryChange] = [.put(row(2, 2)), .put(row(1, 1)), .remove(peer)]
        #expect(keeper.write(changes.map { QueuedChange(change: $0) }).isEmpty)
        await keeper.finishChanges()
        let last = try #require(await store.commits.last?.last)
        guard case .put(let kept) = last else {
            Issue.record("removed")
            return
        }
        #expect(kept.address == .loopback(2) && kept.sequence == 2)
        await keeper.close()
        keeper.loop.stop()
    }

    @Test func `what nobody waits for gives way first`() async throws {
        let (store, clocks) = (try FakeStore(), Clocks.system)
        let info = ServerInfo(version: "test", listen: "", boot: "b")
        let service = IndexService(info: info, secret: Array(repeating: 7, count: 32), now: clocks.monotonic())
        let keeper = try StoreKeeper(store, service: service, clocks: clocks) { _ in }
        // It does not run yet, so nothing leaves the queue.
        let change = QueuedChange(change: .remove(Identity().peer))
        _ = keeper.write(Array(repeating: change, count: StoreKeeper.changeLimit / 2 + 1))
        let before = keeper.health.waiting
        _ = keeper.write(Array(repeating: change, count: 100))
        #expect(keeper.health.waiting == before)
        let waiting = try acknowledgement(of: service)
        let refused = keeper.write(Array(repeating: waiting, count: StoreKeeper.changeLimit))
        #expect(keeper.health.waiting == StoreKeeper.changeLimit)
        #expect(refused.count == before)
    }

    private func site(_ store: FakeStore) async throws -> (keeper: StoreKeeper, service: IndexService) {
        let (clocks, info) = (Clocks.system, ServerInfo(version: "test", listen: "", boot: "b"))
        let service = IndexService(info: info, secret: Array(repeating: 7, count: 32), now: clocks.monotonic())
        let keeper = try StoreKeeper(store, service: service, clocks: clocks) { _ in }
        keeper.loop.start()
        await keeper.start([])
        return (keeper, service)
    }

    private func isFailing(_ keeper: StoreKeeper, _ reason: String) -> Bool {
        if case .failing(reason, _) = keeper.health.state { true } else { false }
    }

    @Test func `what can't be read is written to all the same`() async throws {
        let store = try FakeStore(loadFault: IndexStoreFault(.failed, "It refuses to read."))
        let (keeper, _) = try await site(store)
        try await until { isFailing(keeper, "It refuses to read.") }
        _ = keeper.write([QueuedChange(change: .remove(Identity().peer))])
        await keeper.finishChanges()
        #expect(await store.commits.count == 1)
        #expect(isFailing(keeper, "It refuses to read."), "that it is written to does not make it readable")
        await keeper.close()
        keeper.loop.stop()
    }

    @Test func `the end of loading does not hide that nothing can be written`() async throws {
        let store = try FakeStore(holdsLoading: true)
        await store.fail(IndexStoreFault(.failed, "The disk is full."))
        let (keeper, _) = try await site(store)
        _ = keeper.write([QueuedChange(change: .remove(Identity().peer))])
        try await until { isFailing(keeper, "The disk is full.") }
        await store.finishLoading()
        await keeper.finishChanges()
        // It waits for the end of loading.
        await keeper.close()
        #expect(isFailing(keeper, "The disk is full."))
        keeper.loop.stop()
    }

    /// A keeper that is about to write a lost row anew, to a full disk.
    private func rewriting(_ peer: PeerID) async throws -> (store: FakeStore, keeper: StoreKeeper) {
        let wall = Clocks.system.wall()
        let row = StoredRegistration(
            peer: peer, address: .loopback(2), registered: wall,
            expires: WallTime(milliseconds: wall.milliseconds + 7_200_000))
        let store = try FakeStore(
            pages: [[LoadedRegistration(row, remaining: .seconds(7200))]],
            loadFault: IndexStoreFault(.damaged, "It was damaged."))
        await store.fail(IndexStoreFault(.failed, "The disk is full."))
        let (keeper, _) = try await site(store)
        try await until { await store.attempts > 0 }
        return (store, keeper)
    }

    private let seed = PeerID(high: 0x0123_4567_89AB_4DEF, low: 0x8000_0000_0000_0001)

    @Test func `rows that could not be written anew are tried again`() async throws {
        let (store, keeper) = try await rewriting(seed)
        await store.fail(nil)
        try await until { await store.durable == [seed] }
        await keeper.finishChanges()
        await keeper.close()
        keeper.loop.stop()
    }

    @Test func `whoever writes anew in vain ends with the server`() async throws {
        let (store, keeper) = try await rewriting(seed)
        await keeper.finishChanges()
        await keeper.close()
        #expect(await store.durable.isEmpty)
        keeper.loop.stop()
    }

    private func acknowledgement(of service: IndexService) throws -> QueuedChange {
        let source = Endpoint.loopback(9)
        let event = IndexEvent(
            time: Clocks.system.wall(), operation: .registration, source: source, target: .none, result: .seed)
        let answer = Acknowledgement(
            loop: 0, path: ReturnPath(to: source), reply: [1], failure: [], event: event,
            began: Clocks.system.monotonic())
        return QueuedChange(change: .remove(Identity().peer), then: .answer(answer))
    }
}
