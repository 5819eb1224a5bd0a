// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import TerminalKit

@Suite struct FuzzyMatchTests {
    @Test(arguments: [
        ("bob", "bob", true), ("bb", "bob", true), ("bx", "bob", false), ("", "bob", true), ("OB", "bob", true),
    ])
    func `a query matches as a subsequence`(query: String, candidate: String, matches: Bool) {
        #expect((FuzzyMatch.score(query, in: candidate) != nil) == matches)
    }

    @Test(arguments: [("ca", "carol", "alicia"), ("ro", "robert", "carol"), ("lab", "lab", "labyrinth")])
    func `the likelier candidate scores higher`(query: String, better: String, worse: String) throws {
        let high = try #require(FuzzyMatch.score(query, in: better))
        #expect(high > FuzzyMatch.score(query, in: worse) ?? .min)
    }

    @Test(arguments: [
        ("", "", 0), ("help", "help", 0), ("hepl", "help", 1), ("hlp", "help", 1), ("quit", "nick", 4), ("", "abc", 3),
    ])
    func `distance counts edits`(left: String, right: String, distance: Int) {
        #expect(FuzzyMatch.distance(left, right) == distance)
    }
}
