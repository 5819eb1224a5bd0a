// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// What one socket of the load generator sends, and what has to come back.
struct BenchScript {
    /// What an answer must be.
    enum Rule: UInt8 {
        /// The expected bytes.
        case exactly
        /// The expected bytes, then others.
        case beginning
        /// A registration's answer with a new random UUID; nothing in it says which request it answers.
        case newUUID
    }

    struct Exchange {
        var request: [UInt8]
        var answer: [UInt8]
        var rule: Rule

        static func registration(_ request: [UInt8]) -> Exchange {
            Exchange(request: request, answer: [], rule: .newUUID)
        }
    }

    let requests: PackedBytes
    private let answers: PackedBytes
    private let rules: [Rule]
    /// How often it sends in all; `nil`: over and over. What comes after the last request is the first.
    var limit: Int?

    init(_ exchanges: [Exchange], limit: Int? = nil) {
        requests = PackedBytes(exchanges.map(\.request))
        answers = PackedBytes(exchanges.map(\.answer))
        rules = exchanges.map(\.rule)
        self.limit = limit
    }

    private init(echoing script: BenchScript) {
        (requests, answers, limit) = (script.requests, script.requests, script.limit)
        rules = Array(repeating: .exactly, count: script.rules.count)
    }

    /// The same requests for an echo.
    var echoed: BenchScript { BenchScript(echoing: self) }

    var count: Int { rules.count }

    /// Bytes of the answer to a request, where they are known: how answers in a stream are told apart.
    func answerSize(_ request: Int) -> Int { answers[request].count }

    /// Whether an answer is right for one of the requests.
    func accepts(_ answer: UnsafeRawBufferPointer, for request: Int) -> Bool {
        switch rules[request] {
        case .exactly: answers.isEqual(request, answer)
        case .beginning: answers.isPrefix(request, of: answer)
        case .newUUID: isRegistration(answer)
        }
    }
}

/// Whether it is `{"status":"OK","uuid":"…"}` with a UUID of version 4 (RFC 9562, 5.4).
private func isRegistration(_ answer: UnsafeRawBufferPointer) -> Bool {
    let (head, tail): (StaticString, StaticString) = (#"{"status":"OK","uuid":""#, #""}"#)
    let uuid = head.utf8CodeUnitCount..<(head.utf8CodeUnitCount + 36)
    guard answer.count == uuid.upperBound + tail.utf8CodeUnitCount, let bytes = answer.baseAddress else { return false }
    return memcmp(bytes, head.utf8Start, uuid.lowerBound) == 0
        && memcmp(bytes + uuid.upperBound, tail.utf8Start, tail.utf8CodeUnitCount) == 0
        && isRandomUUID(UnsafeRawBufferPointer(rebasing: answer[uuid]))
}

private func isRandomUUID(_ text: UnsafeRawBufferPointer) -> Bool {
    for (place, byte) in text.enumerated() {
        let fits =
            switch place {
            case 8, 13, 18, 23: byte == UInt8(ascii: "-")
            case 14: byte == UInt8(ascii: "4")
            case 19:
                byte == UInt8(ascii: "8") || byte == UInt8(ascii: "9") || byte == UInt8(ascii: "a")
                    || byte == UInt8(ascii: "b")
            default:
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
            }
        if !fits { return false }
    }
    return true
}
