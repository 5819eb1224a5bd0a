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

    private let client: Client

    public init(_ client: Client) { self.client = client }

    /// A bad line is one error and nothing else.
    public func handle(_ line: [UInt8]) async -> Outcome {
        do throws(PipeError) {
            switch try PipeCommand(parsing: line) {
            case .client(let action, let peer): try await perform(action, peer)
            case .addInvite(let invite, let name): try await perform(.addInvite(invite, name: name), "add", tag: nil)
            case .retry(let id): try await perform(.retry(id), "retry", tag: nil)
            case .cancel(let id): try await perform(.cancel(id), "cancel", tag: nil)
            case .peers: return Outcome(lines: [PipeEvent.peers(await client.peers)])
            case .quit: return Outcome(quits: true)
            }
            return Outcome()
        } catch {
            return Outcome(lines: [error.line])
        }
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
}
