// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import ChatStore
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import PeerEngine
import Queues
import Reactor
import SafeText

/// `parley --plain`: the chat in finished lines, without a screen.
actor PlainProgram: NetworkProgram {
    private let host: PeerHost
    private let input: LineInput
    private let history: ChatHistory
    private var chat: PlainChat
    private var digits = ToldDigits()
    /// Rung when a ladder came.
    private let ladders = Alarm()

    init(_ options: Options, loop: PollExecutor) throws(ProgramFailure) {
        host = try PeerHost(options, purpose: "chat", loop: loop)
        input = LineInput(descriptor: STDIN_FILENO, loop: loop)
        history = ChatHistory(host.store)
        chat = PlainChat(me: host.client.me, name: options.ownName)
    }

    /// Runs until `/quit` or the end of input.
    func run() async -> Status {
        put(chat.greeting)
        hear(.digits(host.client.me, host.home.identity.key.digits))
        hear(.invite(await host.client.invite.text))
        for event in host.saved.settings { hear(event) }
        tell(contacts: host.saved.contacts)
        hear(.listening(host.port.local))
        restore()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.display() }
            await host.run { await self.obey() }
            await group.waitForAll()
        }
        return .ok
    }

    private func restore() {
        do throws(StoreError) {
            let summaries = try history.summaries(host.saved)
            hear(.restored(summaries, open: try host.store.lastConversation()))
        } catch { hear(.notice("\(error)", about: nil)) }
    }

    private func display() async {
        while let batch = await host.client.events.next() {
            for event in batch {
                if case .contacts(let contacts) = event {
                    tell(contacts: contacts)
                } else if let shown = ChatEvent(event) {
                    hear(shown)
                    if case .ladder = shown { ladders.ring() }
                }
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
        do throws(StoreError) {
            switch effect {
            case .search(let text, let peer, let token):
                let (hits, more) = try await history.search(text, in: peer)
                return hear(.found(token: token, hits, more: more))
            case .explain: return await explain(effect)
            case .load(let request): return hear(.history(request, try await history.load(request)))
            default: break
            }
        } catch { return hear(.failed("\(error)", effect)) }
        if let refusal = await host.client.carryOut(effect) { return hear(.failed(refusal, effect)) }
        if let added = ChatEvent.added(by: effect) { hear(added) }
    }

    /// Has a ladder told, once.
    private func explain(_ effect: ChatEffect) async {
        if let refusal = await host.client.carryOut(effect) { return hear(.failed(refusal, effect)) }
        let end = ContinuousClock.now + .seconds(2)
        while chat.awaitsLadder, await ladders.rings(within: end - .now) {}
        _ = await host.client.carryOut(.explain(nil))
        if chat.awaitsLadder { hear(.failed("Nothing is known of the way there.", effect)) }
    }

    private func tell(contacts: [Contact]) {
        hear(.contacts(contacts))
        for event in digits.news(of: contacts) { hear(event) }
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
