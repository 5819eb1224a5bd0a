// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import CommandLineKit
import Glibc
import Model
import Network
import PeerEngine
import Queues
import Reactor
import SafeText

/// `parley --plain`: the chat in finished lines, without a screen.
actor PlainProgram {
    private let host: PeerHost
    private let input: LineInput
    private var chat: PlainChat

    init(_ options: Options, loop: PollExecutor) throws(ProgramFailure) {
        host = try PeerHost(options, purpose: "chat", loop: loop)
        input = LineInput(descriptor: STDIN_FILENO, loop: loop)
        chat = PlainChat(me: host.client.me, name: options.ownName)
    }

    /// Runs until `/quit` or the end of input.
    func run() async -> Status {
        put(chat.greeting)
        hear(.contacts(host.contacts))
        hear(.listening(host.port.local))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.display() }
            await host.run { await self.obey() }
            await group.waitForAll()
        }
        return .ok
    }

    private func display() async {
        while let batch = await host.client.events.next() {
            for event in batch {
                if let shown = ChatEvent(event) { hear(shown) }
            }
            await host.report(batch)
        }
    }

    private func obey() async {
        while let lines = await input.next() {
            for bytes in lines {
                let outcome = chat.enter(String(decoding: bytes, as: UTF8.self))
                put(outcome.lines)
                for effect in outcome.effects {
                    guard effect != .quit else { return }
                    await perform(effect)
                }
            }
        }
    }

    private func perform(_ effect: ChatEffect) async {
        guard let command = ClientCommand(effect) else { return }
        do throws(CommandError) { try await host.client.perform(command) } catch { hear(.failed("\(error)", effect)) }
    }

    private func hear(_ event: ChatEvent) {
        let now = Clocks.system.wall()
        _ = chat.hear(.clock(now, offset: now.localOffset))
        put(chat.hear(event))
    }

    private func put(_ lines: [DisplayText]) {
        guard !lines.isEmpty else { return }
        let text = lines.map { $0.string + "\n" }.joined()
        if !writeAll(Array(text.utf8), to: STDOUT_FILENO) { exit(CommandLineKit.Status.failure.rawValue) }
    }
}
