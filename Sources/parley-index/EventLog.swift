// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import IndexEngine
import IndexServer
import Model
import Network
import Queues
import Reactor
import SafeText
import Wire

/// The log of a server without a screen: one line per event, written apart from the server, which never waits for it.
actor EventLog {
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private struct Gate {
        var style: LogLine.Style
        var sampler = LogSampler()
        var isEnding = false
    }

    private nonisolated let gate: Lock<Gate>
    private nonisolated let lines = BoundedQueue<LogLine>(capacity: 8192)
    private nonisolated let ending = Alarm()
    private var sink: LogSink
    /// Lines that the sink did not take.
    private var lost = 0
    private var reportedDrops = 0

    init(_ settings: ServerSettings, to descriptor: Int32, loop: PollExecutor) {
        gate = Lock(Gate(style: LogLine.Style(settings, isJournal: isJournal(descriptor))))
        sink = LogSink(descriptor)
        self.loop = loop
    }

    /// Writes by other settings from now on.
    nonisolated func follow(_ settings: ServerSettings) {
        gate.withLock { $0.style = LogLine.Style(settings, isJournal: $0.style.isJournal) }
    }

    /// Takes what was handled; leaves out and counts what is more than a log can say, or more than fits when it is
    /// behind.
    nonisolated func note(_ event: IndexEvent, took: Span) {
        let (line, now) = (LogLine.request(event, took: took), Clocks.system.monotonic())
        let isWanted = gate.withLock {
            $0.style.level >= line.level && $0.sampler.admits(isNoise: event.result.isNoise, now: now)
        }
        if isWanted { lines.offer([line]) }
    }

    /// Says something about the server itself; however many lines there are, it is dropped only if the log is behind by
    /// as many as it holds.
    nonisolated func say(_ level: LogLevel, _ event: String, _ text: String, _ fields: JSONObject = [:]) {
        guard gate.withLock({ level <= $0.style.level }) else { return }
        lines.offer([.notice(level, event: event, text: text, fields: fields, at: Clocks.system.wall())])
    }

    /// Says where the server listens.
    func begin(_ server: IndexServer, store: String) {
        let control = server.controlPath ?? "none"
        let pin = server.key.map { ", pinned by --index HOST:\(server.local.port)#\($0)" } ?? ""
        write([
            .notice(
                .info, event: "start",
                text: "listening on \(server.local), control socket \(control), registrations in \(store)\(pin)",
                fields: [
                    "version": .string(parleyVersion), "listen": .string("\(server.local)"),
                    "control": server.controlPath.map { .string($0) } ?? .null,
                    "server_key": server.key.map { .string($0) } ?? .null,
                ], at: Clocks.system.wall())
        ])
    }

    /// Writes until `finish`, then what is left.
    func run() async {
        while let batch = await lines.next() {
            write(batch)
            reportDrops()
            await reportLeftOut()
        }
        write(leftOut(gate.withLock { $0.sampler.report(now: Clocks.system.monotonic(), isLast: true) }))
        reportDrops()
    }

    nonisolated func finish() {
        gate.withLock { $0.isEnding = true }
        lines.finish()
        ending.ring()
    }

    /// Waits for the second to end: meanwhile no more can come than the queue holds.
    private func reportLeftOut() async {
        let rest = gate.withLock { $0.isEnding ? nil : $0.sampler.wait(now: Clocks.system.monotonic()) }
        guard let rest else { return }
        await ending.sleep(for: .nanoseconds(Int64(clamping: rest.nanoseconds)))
        write(leftOut(gate.withLock { $0.sampler.report(now: Clocks.system.monotonic()) }))
    }

    private func leftOut(_ count: Int?) -> [LogLine] {
        guard let count else { return [] }
        return [
            .notice(
                .info, event: "left_out", text: "\(count) more \(count == 1 ? "line" : "lines") left out",
                fields: ["lines": .integer(Int64(count))], at: Clocks.system.wall())
        ]
    }

    private func reportDrops() {
        let drops = lines.dropped + lost - reportedDrops
        guard drops > 0 else { return }
        let report = LogLine.notice(
            .warn, event: "dropped", text: "\(drops) \(drops == 1 ? "line" : "lines") dropped",
            fields: ["lines": .integer(Int64(drops))], at: Clocks.system.wall())
        // One that is lost itself is told with the next.
        if take([report]) == 1 { reportedDrops += drops }
    }

    private func write(_ batch: [LogLine]) { lost += batch.count - take(batch) }

    /// A server whose log nobody reads any more serves on.
    private func take(_ batch: [LogLine]) -> Int {
        guard !batch.isEmpty else { return 0 }
        let style = gate.withLock { $0.style }
        return sink.write(batch.map { $0.bytes(style) })
    }
}

extension LogLine.Style {
    init(_ settings: ServerSettings, isJournal: Bool) {
        self.init(format: settings.logFormat, level: settings.logLevel, isJournal: isJournal)
    }
}

/// Whether a descriptor leads to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)).
private func isJournal(_ descriptor: Int32) -> Bool {
    var status = stat()
    guard let stream = environment("JOURNAL_STREAM"), fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
}
