// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support

/// An index server between its users and an honest one: it registers whom it is asked to, and answers queries as it
/// likes.
final class LyingIndex: Sendable {
    /// Makes answers out of a query and the honest answer to it.
    typealias Lie = @Sendable (_ query: JSON, _ honest: JSON) -> [[UInt8]]

    private struct State {
        var lie: Lie?
        var queries = 0
        var isOver = false
    }

    private let socket: DatagramSocket
    private let state = Guarded(State())

    var address: String { "127.0.0.1:\(socket.port)" }
    /// How many queries it got.
    var queries: Int { state.withLock { $0.queries } }

    init(before honest: UInt16) throws {
        socket = try DatagramSocket()
        Thread.detachNewThread { [socket, state] in
            var upstream: [UInt16: DatagramSocket] = [:]
            while !state.withLock({ $0.isOver }) {
                guard let (bytes, port) = try? socket.next(.milliseconds(50)) else { continue }
                guard let forward = try? upstream[port] ?? DatagramSocket() else { continue }
                upstream[port] = forward
                let text = String(decoding: bytes, as: UTF8.self)
                guard let answer = try? LyingIndex.ask(text, honest, forward) else { continue }
                var answers = [Array(answer.utf8)]
                if let query = try? JSON(text), query["req_type"]?.string == "query", let truth = try? JSON(answer) {
                    let lie = state.withLock { state in
                        state.queries += 1
                        return state.lie
                    }
                    if let lie { answers = lie(query, truth) }
                }
                for answer in answers { try? socket.send(answer, to: port) }
            }
        }
    }

    /// Peers write to the forwarding socket too, which is where they see the liar's users.
    private static func ask(_ request: String, _ server: UInt16, _ socket: DatagramSocket) throws -> String? {
        try socket.send(request, to: server)
        while let (bytes, port) = try socket.next(.milliseconds(200)) {
            let text = String(decoding: bytes, as: UTF8.self)
            // What the server tells unasked is no answer.
            if port == server, !text.hasPrefix(#"{"call""#) { return text }
        }
        return nil
    }

    deinit { state.withLock { $0.isOver = true } }

    /// From now on answers queries so; `nil` for honestly.
    func tell(_ lie: Lie?) { state.withLock { $0.lie = lie } }
}

/// A value behind a lock.
final class Guarded<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try lock.withLock { try body(&value) }
    }
}
