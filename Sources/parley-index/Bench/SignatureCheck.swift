// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Identity
import Model
import Reactor

/// What the check of one Ed25519 signature costs here: the least that a signed registration can.
struct SignatureCheck {
    private let key: PeerKey
    private let message: [UInt8]
    private let signature: [UInt8]

    private static let checks = 5000

    init() throws(ProgramFailure) {
        let identity = Identity()
        key = identity.key
        // As long as a record with one address.
        message = Array(repeating: 0x50, count: 72)
        do { signature = try identity.sign(message) } catch {
            throw ProgramFailure(.failure, "Nothing could be signed: \(error)")
        }
    }

    var contender: Contender { Contender(name: "Ed25519", round: round) }

    private func round() -> BenchRound {
        var round = BenchRound()
        let (began, cpuBegan) = (PollExecutor.now(), threadTime())
        for _ in 0..<Self.checks {
            if key.verifies(signature, over: message) { round.answers += 1 } else { round.wrong += 1 }
        }
        round.seconds = Double(PollExecutor.now() - began) / 1e9
        round.cpu = threadTime() - cpuBegan
        return round
    }
}
