// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model
import Network
import PeerEngine
import Queues
import Reactor
import Scripting
import Wire

/// `parley send`: one message, through the program that holds the home or, when none does, by itself.
struct SendProgram: NetworkProgram {
    let options: Options
    let home: String
    let peer: String
    let text: String
    let wait: Duration
    let json: Bool
    let loop: PollExecutor
    let link: ControlLink

    func run() async throws(ProgramFailure) -> Status {
        guard await link.connect(Home.controlPath(home)) else { return try await runAlone() }
        return try await throughRunningProgram()
    }

    // MARK: Through the running program

    private func throughRunningProgram() async throws(ProgramFailure) -> Status {
        let tag = "send-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        await link.send(["command": "send", "to": .string(peer), "text": .string(text), "tag": .string(tag)])
        return try await judged { report in
            while let lines = await link.next() {
                for line in lines {
                    if let verdict = report.take(line, tag: tag) { return verdict }
                }
            }
            return .failure(ProgramFailure(.failure, "The running parley ended before the message left."))
        }
    }

    // MARK: Alone

    private func runAlone() async throws(ProgramFailure) -> Status {
        let host = try PeerHost(options, purpose: "send", loop: loop)
        let outcome = await host.run { () -> Result<Status, ProgramFailure> in
            do throws(ProgramFailure) { return .success(try await send(by: host)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private func send(by host: PeerHost) async throws(ProgramFailure) -> Status {
        let tag = "send"
        let command: JSONObject = [
            "command": "send", "to": .string(peer), "text": .string(text), "tag": .string(tag),
        ]
        let refusals = await PipeSession(host.client).handle(command.encoded()).lines
        return try await judged { report in
            for line in refusals { if let verdict = report.take(line, tag: tag) { return verdict } }
            while let batch = await host.client.events.next() {
                for line in batch.compactMap({ PipeEvent.line(for: $0) { _ in nil } }) {
                    if let verdict = report.take(line, tag: tag) { return verdict }
                }
            }
            return .failure(ProgramFailure(.failure, "The client ended before the message left."))
        }
    }

    // MARK: The verdict

    /// Watches events until one settles the matter or the time is over.
    private func judged(
        _ watch: @escaping @Sendable (SendReport) async -> Result<Status, ProgramFailure>
    ) async throws(ProgramFailure) -> Status {
        let report = SendReport()
        let verdict = await withTaskGroup(of: Result<Status, ProgramFailure>?.self) { group in
            group.addTask { await watch(report) }
            group.addTask {
                try? await Task.sleep(for: wait)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        if json, let state = report.lastState { writeAll(state.encoded(.invisible) + [0x0A], to: STDOUT_FILENO) }
        switch verdict {
        case .success(let status)?: return status
        case .failure(let failure)?: throw failure
        case nil: throw report.late(wait)
        }
    }
}
