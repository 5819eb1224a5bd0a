// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
public import PeerEngine
public import Wire

/// Does what lines say, one after the other.
public struct PipeSession: Sendable {
    /// What a line led to at once; the rest comes as events.
    public struct Outcome: Sendable {
        public var lines: [JSONObject] = []
        public var quits = false
    }

    /// Messages of the history that are read at once.
    private static let page = 1000

    private let client: Client
    private let history: any HistoryReader

    public init(_ client: Client, history: any HistoryReader) {
        self.client = client
        self.history = history
    }

    /// A bad line is one error and nothing else.
    public func handle(_ line: [UInt8]) async -> Outcome {
        var outcome = Outcome()
        outcome.quits = await handle(line) { outcome.lines += $0 }
        return outcome
    }

    /// The same for whoever can take a long answer bit by bit.
    /// - Returns: whether the line ends the session.
    public func handle(_ line: [UInt8], put: ([JSONObject]) async -> Void) async -> Bool {
        do throws(PipeError) {
            switch try PipeCommand(parsing: line) {
            case .client(let action, let peer): try await perform(action, peer)
            case .addInvite(let invite, let name): try await perform(.addInvite(invite, name: name), "add", tag: nil)
            case .retry(let id): try await perform(.retry(id), "retry", tag: nil)
            case .cancel(let id): try await perform(.cancel(id), "cancel", tag: nil)
            case .peers: await put([PipeEvent.peers(await client.peers)])
            case .quit: return true
            case .log(let peer): try await log(peer, put: put)
            }
        } catch {
            await put([error.line])
        }
        return false
    }

    private func perform(_ action: PipeCommand.Action, _ text: String) async throws(PipeError) {
        let peer = try await resolve(text, command: action.name, tag: action.tag)
        try await perform(action.command(for: peer), action.name, tag: action.tag)
    }

    private func perform(_ command: ClientCommand, _ name: String, tag: String?) async throws(PipeError) {
        do throws(CommandError) { try await client.perform(command) } catch {
            throw PipeError("\(error)", command: name, tag: tag)
        }
    }

    private func resolve(_ text: String, command: String, tag: String?) async throws(PipeError) -> PeerID {
        if let peer = await client.resolve(text) { return peer }
        throw PipeError("'\(text)' is no UUID and no contact's name.", command: command, tag: tag)
    }

    private func log(_ text: String?, put: ([JSONObject]) async -> Void) async throws(PipeError) {
        var peer: PeerID?
        if let text { peer = try await resolve(text, command: "log", tag: nil) }
        var place: Int64 = 0
        while let last = try await page(with: peer, after: place, put: put) { place = last }
        await put([["event": "end"]])
    }

    /// - Returns: the place of the last message; `nil` when there was none.
    private func page(
        with peer: PeerID?, after place: Int64, put: ([JSONObject]) async -> Void
    ) async throws(PipeError) -> Int64? {
        let page: [(place: Int64, message: Message)]
        do { page = try await history.messages(with: peer, after: place, limit: PipeSession.page) } catch {
            throw PipeError("The history could not be read. \(error)", command: "log")
        }
        await put(page.map { PipeEvent.logLine($0.message) })
        return page.last?.place
    }
}
