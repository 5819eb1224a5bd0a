// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import PeerEngine
public import Wire

/// Does what lines say, one after the other.
public struct PipeSession: Sendable {
    /// What a line led to at once; the rest comes as events.
    public struct Outcome: Sendable {
        public var lines: [JSONObject] = []
        public var quits = false
    }

    /// Asks for the ladder to a peer; `nil` when none was told.
    public typealias Explain = @Sendable (PeerID) async -> [LadderStep]?

    private let client: Client
    private let explain: Explain?

    /// - Parameter explain: `nil` where nobody reads the client's events, so that `why` is refused.
    public init(_ client: Client, explain: Explain? = nil) {
        self.client = client
        self.explain = explain
    }

    /// A bad line is one error and nothing else.
    public func handle(_ line: [UInt8]) async -> Outcome {
        do throws(PipeError) {
            switch try PipeCommand(parsing: line) {
            case .client(let action, let peer): try await perform(action, peer)
            case .addInvite(let invite, let name): try await perform(.addInvite(invite, name: name), "add", tag: nil)
            case .retry(let id): try await perform(.retry(id), "retry", tag: nil)
            case .cancel(let id): try await perform(.cancel(id), "cancel", tag: nil)
            case .id: return Outcome(lines: [PipeEvent.id(await client.invite)])
            case .peers: return Outcome(lines: [PipeEvent.peers(await client.peers)])
            case .set(let setting, let on): try await perform(.set(setting, on), "set", tag: nil)
            case .why(let peer): return Outcome(lines: [try await why(peer)])
            case .quit: return Outcome(quits: true)
            }
            return Outcome()
        } catch {
            return Outcome(lines: [error.line])
        }
    }

    private func why(_ text: String) async throws(PipeError) -> JSONObject {
        guard let explain else { throw PipeError("Only 'parley pipe' answers 'why'.", command: "why") }
        let peer = try await resolve(text, command: "why", tag: nil)
        guard let steps = await explain(peer) else {
            throw PipeError("Nothing is known of the way to '\(text)'.", command: "why")
        }
        let path = await client.peers.first { $0.contact.peer == peer }?.path
        return PipeEvent.why(peer, path ?? .none, steps)
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
        do throws(UnclearPeer) { return try await client.resolve(text) } catch {
            throw PipeError("\(error)", command: command, tag: tag)
        }
    }
}
