// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Queues
import Synchronization

/// A thread that sleeps in poll(2) and is the serial executor of an actor.
///
/// Jobs of the actor, descriptors that became ready and one deadline run on the same thread, one after the other, so
/// their handlers may `assumeIsolated` the actor. Between them the thread sleeps: an idle loop costs no wake-up at all.
///
/// A turn is: the jobs that were waiting, the handlers of ready descriptors, the deadline if it has passed, then
/// `onTurn`. Stop a loop last: jobs that come after its end wait for ever.
public final class PollExecutor: SerialExecutor {
    /// What only the loop's thread touches.
    private final class Loop {
        var watches = Watches()
        var deadline: (moment: UInt64, fire: () -> Void)?
        var turn: () -> Void = {}

        /// Lets go of the handlers, which may hold on to the executor.
        func clear() {
            watches = Watches()
            deadline = nil
            turn = {}
        }
    }

    private struct Job {
        let job: UnownedJob
        /// For a job that belongs to no actor.
        let taskExecutor: UnownedTaskExecutor?
    }

    private static let nobody: UInt = 0
    /// Between `start()` and the new thread's first step: already nobody else's business.
    private static let starting = UInt.max

    /// The thread's name in debuggers and top(1), of which the first 15 bytes count.
    public let name: String
    /// Writing eight bytes, a native `UInt64` of 1, wakes the loop: what a signal handler does.
    public let wakeDescriptor: Int32
    /// Readable for ever once the loop has ended, for any number of waiters.
    private let endDescriptor: Int32
    private let jobs = Lock<[Job]>([])
    private let owner = Atomic<UInt>(nobody)
    private let isStopping = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)
    // Sound to share: `requireLoop()` stands before every use, and thread creation orders what came before.
    private nonisolated(unsafe) let loop = Loop()

    /// Makes a loop that does not run yet.
    public init(name: String) throws(ReactorError) {
        self.name = name
        wakeDescriptor = cp_eventfd()
        let wakeError = errno
        endDescriptor = cp_eventfd()
        guard wakeDescriptor >= 0, endDescriptor >= 0 else {
            let code = wakeDescriptor < 0 ? wakeError : errno
            if wakeDescriptor >= 0 { close(wakeDescriptor) }
            if endDescriptor >= 0 { close(endDescriptor) }
            throw ReactorError(code: code)
        }
    }

    deinit {
        close(wakeDescriptor)
        close(endDescriptor)
    }

    // MARK: From any thread

    /// Runs the loop on a thread of its own. A loop runs once; it holds on to itself until it ends.
    public func start() {
        let claim = owner.compareExchange(
            expected: Self.nobody, desired: Self.starting, ordering: .acquiringAndReleasing)
        precondition(claim.exchanged && !hasEnded.load(ordering: .acquiring), "a loop runs once")
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<PollExecutor>.fromOpaque(context).takeRetainedValue().runThread()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "the system gave no thread")
    }

    /// Runs the loop on the calling thread until `stop()`. A loop runs once.
    public func run() {
        owner.store(UInt(pthread_self()), ordering: .releasing)
        wake()  // the first turn comes without being asked for
        while !isStopping.load(ordering: .acquiring) { turn() }
        runJobs()
        loop.clear()
        owner.store(Self.nobody, ordering: .releasing)
        hasEnded.store(true, ordering: .releasing)
        post(to: endDescriptor)
    }

    /// Lets the loop end after the current turn and the jobs that wait by then.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
    }

    /// Blocks the caller until the loop has ended; at once if it already has. Not from the loop itself.
    public func wait() {
        precondition(!isCurrent, "a loop can't wait for itself")
        while !hasEnded.load(ordering: .acquiring) {
            var end = pollfd(fd: endDescriptor, events: Int16(POLLIN), revents: 0)
            _ = cp_poll(&end, 1, -1)
        }
    }

    /// Wakes the loop for one turn. Async-signal-safe.
    public func wake() { post(to: wakeDescriptor) }

    /// Whether the caller runs on the loop's thread.
    public var isCurrent: Bool { owner.load(ordering: .acquiring) == UInt(pthread_self()) }

    /// CLOCK_MONOTONIC in nanoseconds.
    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: From the loop's thread, or before it runs

    /// Calls `ready` whenever the descriptor can be read, has an error or was hung up. Level-triggered: take what is
    /// there, or be called again at once. Replaces an earlier watch.
    ///
    /// A descriptor that can only report an error or a hang-up for ever is told so once and unwatched: it would keep
    /// the loop awake. The descriptor stays its owner's to close, after `unwatch`.
    public func watch(_ descriptor: Int32, _ ready: @escaping (Readiness) -> Void) {
        requireLoop()
        guard descriptor >= 0 else { return }
        loop.watches.add(descriptor, ready)
    }

    /// Whether a watched descriptor also reports that it can be written.
    public func watchWritable(_ descriptor: Int32, _ on: Bool) {
        requireLoop()
        loop.watches.setWritable(descriptor, on)
    }

    /// Forgets a descriptor, even if a report of it is already on its way. Do so before closing it.
    public func unwatch(_ descriptor: Int32) {
        requireLoop()
        loop.watches.remove(descriptor)
    }

    /// Sets the one deadline, in nanoseconds of `now()`; `nil` removes it. It fires once.
    public func setDeadline(_ nanoseconds: UInt64?, _ fire: @escaping () -> Void) {
        requireLoop()
        loop.deadline = nanoseconds.map { ($0, fire) }
    }

    /// What to do at the end of every turn, before sleeping.
    public func onTurn(_ body: @escaping () -> Void) {
        requireLoop()
        loop.turn = body
    }

    // MARK: SerialExecutor

    public func enqueue(_ job: consuming ExecutorJob) { enqueue(Job(job: UnownedJob(job), taskExecutor: nil)) }

    /// Runs a job that belongs to no actor.
    func enqueue(_ job: UnownedJob, on taskExecutor: UnownedTaskExecutor) {
        enqueue(Job(job: job, taskExecutor: taskExecutor))
    }

    private func enqueue(_ job: Job) {
        let isFirst = jobs.withLock { queue in
            queue.append(job)
            return queue.count == 1
        }
        // Later ones find the loop awake already; the loop itself looks before it sleeps.
        if isFirst, !isCurrent { wake() }
    }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    public func checkIsolated() { precondition(isCurrent, "not on the thread of \(name)") }

    // MARK: The loop

    private func runThread() {
        cp_name_thread(name)
        run()
    }

    private func turn() {
        let isBusy = jobs.withLock { !$0.isEmpty }
        let timeout = isBusy ? 0 : timeoutToDeadline()
        let (woken, reports) = loop.watches.poll(wake: wakeDescriptor) { cp_poll($0, $1, timeout) }
        if woken {
            var count: UInt64 = 0
            _ = read(wakeDescriptor, &count, MemoryLayout.size(ofValue: count))
        }
        runJobs()
        for report in reports { deliver(report) }
        fireDeadline()
        loop.turn()
    }

    private func runJobs() {
        let batch = jobs.withLock { queue in
            let batch = queue
            queue.removeAll(keepingCapacity: false)
            return batch
        }
        for entry in batch {
            if let taskExecutor = entry.taskExecutor {
                entry.job.runSynchronously(on: taskExecutor)
            } else {
                entry.job.runSynchronously(on: asUnownedSerialExecutor())
            }
        }
    }

    private func deliver(_ report: Watches.Report) {
        guard let handler = loop.watches.handler(of: report) else { return }
        handler(Readiness(events: report.events))
        guard report.events & (POLLIN | POLLOUT) == 0, loop.watches.handler(of: report) != nil else { return }
        if report.events & (POLLHUP | POLLNVAL) != 0 || !clearSocketError(report.descriptor) {
            loop.watches.remove(report.descriptor)
        }
    }

    /// Takes a waiting error off a socket; false for anything that is not one.
    private func clearSocketError(_ descriptor: Int32) -> Bool {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout.size(ofValue: code))
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0
    }

    private func timeoutToDeadline() -> Int64 {
        guard let deadline = loop.deadline?.moment else { return -1 }
        let now = Self.now()
        return deadline > now ? Int64(clamping: deadline - now) : 0
    }

    private func fireDeadline() {
        guard let deadline = loop.deadline, deadline.moment <= Self.now() else { return }
        loop.deadline = nil
        deadline.fire()
    }

    private func requireLoop() {
        precondition(isCurrent || owner.load(ordering: .acquiring) == Self.nobody, "only from the thread of \(name)")
    }

    private func post(to descriptor: Int32) {
        let code = errno
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout.size(ofValue: one))
        errno = code
    }
}
