// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// Where the server sees us, at both of its ports.
extension IndexLink {
    /// The server's second port, if it has one.
    var secondEndpoint: Endpoint? { offers.secondPort.map { Endpoint(address: server.address, port: $0) } }

    /// What a server sees through a tunnel is no address of ours.
    mutating func noteSeen(at seen: Endpoint) {
        guard way != .tunnel else { return }
        address = seen
        sighting = seen
    }

    mutating func askSecondPort(now: Instant) {
        second = nil
        guard way != .tunnel, let endpoint = secondEndpoint else { return secondSighting = nil }
        second = SecondQuestion(nonce: newNonce(), endpoint: endpoint, due: now)
    }

    mutating func advanceSecondPort(now: Instant) -> [Action] {
        guard var question = second, question.due <= now else { return [] }
        question.due = now + Timing.retransmission[min(question.tries, Timing.retransmission.count - 1)]
        question.tries += 1
        second = question.tries < Timing.retransmission.count ? question : nil
        return [.sendByUDP(IndexRequest.seen(nonce: question.nonce).encoded(), to: question.endpoint)]
    }

    /// Reads what came from the second port.
    mutating func receiveFromSecondPort(_ bytes: [UInt8]) -> [Action] {
        guard let answer = try? IndexAnswer(parsing: bytes), case .seen(let seen) = answer.reply,
            let nonce = answer.nonce, nonce == second?.nonce
        else { return [] }
        second = nil
        secondSighting = seen
        return [.sighted]
    }
}
