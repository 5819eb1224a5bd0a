// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

/// What one socket of the load generator sends, over and over, and what has to come back.
struct BenchScript: Sendable {
    enum Answers: Sendable {
        /// Byte for byte, the answer of the same place as the request.
        case exactly([[UInt8]])
        /// Bytes that the answer of the same place begins with.
        case beginning([[UInt8]])
        /// A new random UUID each time; nothing in it says which request it answers.
        case newUUID
    }

    var requests: [[UInt8]]
    var answers: Answers

    /// The same requests for an echo.
    var echoed: BenchScript { BenchScript(requests: requests, answers: .exactly(requests)) }

    /// Whether an answer is right for one of the requests.
    func accepts(_ answer: [UInt8], for request: Int) -> Bool {
        switch answers {
        case .exactly(let answers): answers[request] == answer
        case .beginning(let answers): answer.starts(with: answers[request])
        case .newUUID: isRegistration(answer)
        }
    }

    private func isRegistration(_ answer: [UInt8]) -> Bool {
        let (head, tail) = (Array(#"{"status":"OK","uuid":""#.utf8), Array(#""}"#.utf8))
        guard answer.count == head.count + 36 + tail.count, answer.starts(with: head), answer.suffix(2) == tail[...],
            let peer = PeerID(String(decoding: answer.dropFirst(head.count).prefix(36), as: UTF8.self))
        else { return false }
        return peer.version == 4
    }
}
