// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
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
    private struct Entry: Sendable {
        let event: IndexEvent
        let took: Span
    }

    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private nonisolated let entries = BoundedQueue<Entry>(capacity: 8192)
    private let format: LogFormat
    private let descriptor: Int32
    private var reportedDrops = 0
    private var hasReader = true

    init(_ format: LogFormat, to descriptor: Int32, loop: PollExecutor) {
        self.format = format
        self.descriptor = descriptor
        self.loop = loop
    }

    /// Takes an event; drops and counts it when the log is that far behind.
    nonisolated func note(_ event: IndexEvent, took: Span) { entries.offer([Entry(event: event, took: took)]) }

    /// Says where the server listens.
    func begin(_ server: IndexServer) {
        let control = server.controlPath.map { DisplayText($0).string } ?? "none"
        let pin = server.key.map { ", pinned by --index HOST:\(server.local.port)#\($0)" } ?? ""
        write(
            text: "listening on \(server.local), control socket \(control), registrations in memory\(pin)",
            json: [
                "ts": now, "level": "info", "event": "start", "version": .string(parleyVersion),
                "listen": .string("\(server.local)"), "control": server.controlPath.map { .string($0) } ?? .null,
                "server_key": server.key.map { .string($0) } ?? .null,
            ])
    }

    /// Writes until `finish`, then what is left.
    func run() async {
        while let batch = await entries.next() {
            put(batch.map(line).joined())
            let drops = entries.dropped - reportedDrops
            guard drops > 0 else { continue }
            reportedDrops += drops
            write(
                text: "\(drops) \(drops == 1 ? "line" : "lines") dropped",
                json: ["ts": now, "level": "warn", "event": "dropped", "lines": .integer(Int64(drops))])
        }
    }

    nonisolated func finish() { entries.finish() }

    private var now: JSONValue { .string(Clocks.system.wall().rfc3339) }

    private func line(_ entry: Entry) -> [UInt8] {
        switch format {
        case .text: line(entry.event.logText(took: entry.took, masked: true))
        case .json: line(entry.event.logJSON(took: entry.took, masked: true))
        }
    }

    private func line(_ text: String) -> [UInt8] { Array(DisplayText(text).string.utf8) + [0x0A] }
    private func line(_ object: JSONObject) -> [UInt8] { object.encoded(.invisible) + [0x0A] }

    private func write(text: String, json: JSONObject) { put(format == .text ? line(text) : line(json)) }

    /// A server whose log nobody reads any more serves on.
    private func put(_ bytes: some Sequence<UInt8>) {
        if hasReader { hasReader = writeAll(Array(bytes), to: descriptor) }
    }
}
