// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@Suite struct StoredNameTests {
    @Test func `settings keep the names that files and scripts know`() {
        #expect(ChatSetting.allCases.map(\.rawValue) == ["read-receipts", "typing", "presence", "relay"])
        #expect(ChatSetting.offAtFirst == [.relay])
    }

    @Test func `ladders keep the names that scripts know`() {
        #expect(
            LadderStep.Rung.allCases.map(\.rawValue) == [
                "index", "lan", "mapping", "direct", "punch", "relay", "own",
            ])
        #expect(LadderStep.State.allCases.map(\.rawValue) == ["untried", "trying", "worked", "failed", "off"])
    }

    @Test(arguments: [
        (IndexStatus.connecting, false), (.ok(.zero), true), (.sameServer(as: "i:1"), true),
        (.unreachable("no answer"), false), (.noIdentities(assigned: PeerID(high: 1, low: 2)), false),
    ])
    func `a server works that has our identity registered`(status: IndexStatus, isWorking: Bool) {
        #expect(status.isWorking == isWorking)
    }
}
