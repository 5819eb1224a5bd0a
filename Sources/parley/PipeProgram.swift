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

/// `parley pipe`: the whole client without a screen, JSON lines in and out.
struct PipeProgram: NetworkProgram {
    private let host: PeerHost
    private let input: LineInput
    /// Rung whenever messages got a new state.
    private let progress = Alarm()
    private let ladders = LadderDesk()

    init(_ options: Options, loop: PollExecutor) throws(ProgramFailure) {
        host = try PeerHost(options, purpose: "pipe", loop: loop)
        input = LineInput(descriptor: STDIN_FILENO, loop: loop)
    }

    /// Runs until `quit` or the end of input, then lets what is queued leave for a moment.
    func run() async -> Status {
        let invite = await host.client.invite
        put([PipeEvent.ready(host.client.me, invite: invite, listen: host.port.local)])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await display() }
            await host.run {
                await obey()
                await drain(for: .milliseconds(1500))
            }
            await group.waitForAll()
        }
        return .ok
    }

    /// The third loop: everything that happens, a line each.
    private func display() async {
        var names: [PeerID: String] = [:]
        while let batch = await host.client.events.next() {
            var lines: [JSONObject] = []
            for event in batch {
                if case .contacts(let contacts) = event {
                    names = Dictionary(contacts.compactMap { contact in contact.name.map { (contact.peer, $0) } }) {
                        $1
                    }
                }
                if case .ladder(let peer, let steps) = event { ladders.take(steps, of: peer) }
                if case .notice(let text, _) = event { complain(text) }
                guard let line = PipeEvent.line(for: event, name: { names[$0] }) else { continue }
                lines.append(line)
            }
            put(lines)
            await host.report(batch)
            progress.ring()
        }
    }

    private func obey() async {
        let session = PipeSession(host.client) { [host, ladders] in await ladders.ask(host.client, about: $0) }
        while let lines = await input.next() {
            for line in lines where !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) {
                let outcome = await session.handle(line)
                put(outcome.lines)
                if outcome.quits { return }
            }
        }
    }

    /// Waits until no message is waiting for its turn on the wire, but not for long.
    private func drain(for limit: Duration) async {
        let end = ContinuousClock.now + limit
        while !Task.isCancelled, ContinuousClock.now < end,
            await host.client.peers.contains(where: { $0.waiting > 0 && $0.path != .none })
        {
            await progress.sleep(for: end - .now)
        }
    }

    /// Writes lines. A reader that is gone ends the program as a closed input does.
    private func put(_ lines: [JSONObject]) {
        guard !lines.isEmpty else { return }
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line.encoded(.invisible)
            bytes.append(UInt8(ascii: "\n"))
        }
        if !writeAll(bytes, to: STDOUT_FILENO) { Glibc.exit(Status.failure.rawValue) }
    }
}

/// Where the ladder is waited for that `why` asked for: one question at a time.
private final class LadderDesk: Sendable {
    private struct Question {
        var peer: PeerID
        var steps: [LadderStep]?
    }

    private let question = Lock<Question?>(nil)
    private let answered = Alarm()

    /// What the client told. Later news of the same question is nobody's concern.
    func take(_ steps: [LadderStep], of peer: PeerID) {
        question.withLock { if $0?.peer == peer, $0?.steps == nil { $0?.steps = steps } }
        answered.ring()
    }

    /// - Returns: `nil` when nothing is told for two seconds.
    func ask(_ client: Client, about peer: PeerID) async -> [LadderStep]? {
        question.withLock { $0 = Question(peer: peer) }
        let end = ContinuousClock.now + .seconds(2)
        guard (try? await client.perform(.explain(peer))) != nil else { return nil }
        while question.withLock({ $0?.steps == nil }), await answered.rings(within: end - .now) {}
        try? await client.perform(.explain(nil))
        return question.withLock { question in
            defer { question = nil }
            return question?.steps
        }
    }
}
