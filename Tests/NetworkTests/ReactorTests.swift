// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Queues
import Reactor
import Synchronization
import Testing

/// An actor that lives on a loop.
private actor Resident {
    nonisolated let executor: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private(set) var count = 0
    private(set) var strayed = 0

    init(on executor: PollExecutor) { self.executor = executor }

    func add() {
        count += 1
        if !executor.isCurrent { strayed += 1 }
    }

    func run<Result: Sendable>(_ body: @Sendable (PollExecutor) -> Result) -> Result { body(executor) }
}

/// Both ends of a pipe; closes what is left open.
private final class Pipe: Sendable {
    let reader: Int32
    let writer: Int32
    private let open: Lock<Set<Int32>>

    init() {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        reader = ends[0]
        writer = ends[1]
        open = Lock(Set(ends))
    }

    deinit { for end in open.withLock({ $0 }) { Glibc.close(end) } }

    func close(_ end: Int32) {
        if open.withLock({ $0.remove(end) != nil }) { Glibc.close(end) }
    }

    func send(_ text: StaticString) { #expect(write(writer, text.utf8Start, text.utf8CodeUnitCount) > 0) }

    /// Reads what is there, at most 64 bytes.
    func take() -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(reader, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

private func withLoop<Result>(
    _ body: (PollExecutor, Resident) async throws -> Result
) async throws -> Result {
    let executor = try PollExecutor(name: "test loop")
    let resident = Resident(on: executor)
    defer {
        executor.stop()
        executor.wait()
    }
    return try await body(executor, resident)
}

@Suite struct `Poll executor` {
    @Test func `jobs of many tasks all run on its thread`() async throws {
        try await withLoop { executor, resident in
            executor.start()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<50 { group.addTask { for _ in 0..<200 { await resident.add() } } }
            }
            #expect(await resident.count == 10_000)
            #expect(await resident.strayed == 0)
            #expect(!executor.isCurrent)
        }
    }

    @Test func `it runs on the calling thread until it is stopped`() throws {
        let executor = try PollExecutor(name: "here")
        let thread = pthread_self()
        var turns = 0
        executor.onTurn {
            turns += 1
            #expect(pthread_equal(thread, pthread_self()) != 0)
            if turns == 3 { executor.stop() } else { executor.wake() }
        }
        executor.run()
        executor.wait()
        #expect(turns == 3)
    }

    @Test func `a handler sees what was written and may assume the actor's isolation`() async throws {
        try await withLoop { executor, resident in
            let pipe = Pipe()
            let (texts, continuation) = AsyncStream.makeStream(of: String.self)
            executor.watch(pipe.reader) { readiness in
                resident.assumeIsolated { $0.add() }
                continuation.yield(readiness.contains(.readable) ? pipe.take() : "?")
            }
            executor.start()
            var iterator = texts.makeAsyncIterator()
            pipe.send("one")
            #expect(await iterator.next() == "one")
            pipe.send("two")
            #expect(await iterator.next() == "two")
            #expect(await resident.count == 2)
        }
    }

    @Test func `a deadline fires once, not early`() async throws {
        try await withLoop { executor, _ in
            let (moments, continuation) = AsyncStream.makeStream(of: UInt64.self)
            let start = PollExecutor.now()
            executor.setDeadline(start + 3_000_000) {
                continuation.yield(PollExecutor.now())
                // Taken back before it comes.
                executor.setDeadline(start + 4_000_000) { continuation.yield(0) }
                executor.setDeadline(nil) {}
                executor.setDeadline(start + 6_000_000) { continuation.yield(PollExecutor.now()) }
            }
            executor.start()
            var iterator = moments.makeAsyncIterator()
            #expect(await iterator.next().map { $0 >= start + 3_000_000 } == true)
            #expect(await iterator.next().map { $0 >= start + 6_000_000 } == true)
        }
    }

    @Test func `handlers may unwatch each other, and a stale report reaches nobody`() throws {
        let executor = try PollExecutor(name: "unwatch")
        let first = Pipe()
        let second = Pipe()
        var calls: [Int32] = []
        for (own, other) in [(first, second), (second, first)] {
            executor.watch(own.reader) { _ in
                calls.append(own.reader)
                _ = own.take()
                // The same number watched anew must not get the report meant for the old watch.
                executor.unwatch(other.reader)
                executor.watch(other.reader) { _ in calls.append(-1) }
                executor.unwatch(other.reader)
                executor.stop()
            }
            own.send("x")
        }
        executor.run()
        #expect(calls.count == 1 && !calls.contains(-1))
    }

    @Test(arguments: ["hangup", "closed", "broken", "writable"])
    func `a dead descriptor is told once and never spins`(_ kind: String) throws {
        let executor = try PollExecutor(name: "dead")
        let pipe = Pipe()
        var told: [Readiness] = []
        var turns = 0
        // Far above any that is open, so that no other test can take it meanwhile.
        let watched = kind == "broken" || kind == "writable" ? pipe.writer : pipe.reader
        switch kind {
        case "hangup": pipe.close(pipe.writer)
        case "broken", "writable": pipe.close(pipe.reader)
        default: break
        }
        let descriptor = kind == "closed" ? Int32(1_000_000) : watched
        executor.watch(descriptor) { readiness in
            told.append(readiness)
            executor.watchWritable(descriptor, false)
        }
        executor.watchWritable(descriptor, kind == "writable")
        executor.onTurn { turns += 1 }
        let end = PollExecutor.now() + 20_000_000
        executor.setDeadline(end) { executor.stop() }
        executor.run()
        #expect((1...2).contains(told.count))
        #expect(told.allSatisfy { !$0.isDisjoint(with: [.error, .hangup]) })
        #expect(turns <= 4)
    }

    @Test func `writability is reported only while asked for`() throws {
        let executor = try PollExecutor(name: "writable")
        let pipe = Pipe()
        var told: [Readiness] = []
        var turns = 0
        executor.watch(pipe.writer) { readiness in
            told.append(readiness)
            executor.watchWritable(pipe.writer, false)
        }
        executor.watchWritable(pipe.writer, true)
        executor.onTurn { turns += 1 }
        executor.setDeadline(PollExecutor.now() + 10_000_000) { executor.stop() }
        executor.run()
        #expect(told == [.writable])
        #expect(turns <= 3)
    }

    @Test func `an idle loop takes no turn, a woken one takes one`() async throws {
        try await withLoop { executor, resident in
            let turns = Atomic<Int>(0)
            let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
            executor.onTurn { turns.add(1, ordering: .relaxed) }
            executor.start()
            await resident.run { executor in
                executor.setDeadline(PollExecutor.now() + 30_000_000) { continuation.yield() }
            }
            var iterator = ends.makeAsyncIterator()
            await iterator.next()
            // The first turn, the job's and the deadline's; a spin would count thousands.
            #expect(turns.load(ordering: .relaxed) <= 3)
        }
    }

    @Test func `a signal does not end the loop`() throws {
        let executor = try PollExecutor(name: "signal")
        signal(SIGURG) { _ in }
        let thread = pthread_self()
        var turns = 0
        executor.onTurn {
            turns += 1
            guard turns == 1 else { return }
            executor.setDeadline(PollExecutor.now() + 5_000_000) { executor.stop() }
            pthread_kill(thread, SIGURG)
        }
        executor.run()
        signal(SIGURG, SIG_DFL)
        #expect(turns >= 2)
    }

    @Test func `a handler lets go of what it holds when the loop ends`() throws {
        weak var held: Pipe?
        let executor = try PollExecutor(name: "release")
        do {
            let pipe = Pipe()
            held = pipe
            executor.watch(pipe.reader) { _ in _ = pipe.take() }
        }
        #expect(held != nil)
        executor.stop()
        executor.run()
        #expect(held == nil)
    }

    @Test func `a lock keeps its value whole`() async {
        let total = Lock(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { total.withLock { $0 += 1 } } } }
        }
        #expect(total.withLock { $0 } == 8000)
    }
}
