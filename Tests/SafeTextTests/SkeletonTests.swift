// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import Testing

@Suite struct SkeletonTests {
    @Test(arguments: [
        ("bob", "BOB"), ("bob", "b0b"), ("bob", "вов"), ("bob", "ВОВ"), ("alice", "a1ice"), ("alice", "aIice"),
        ("alice", "аlісе"), ("alice", "ａｌｉｃｅ"), ("alice", "𝐚𝐥𝐢𝐜𝐞"), ("alice", "àlíçe"), ("alice", "a\u{301}lice"),
        ("alice", "a\u{200B}li\u{AD}ce"), ("alice", "al ice "), ("alice", "al\u{202E}ice"), ("carol", "ϲαrοl"),
        ("marm", "rnarrn"), ("william", "vvilliam"), ("ivo", "1v0"), ("x-y", "x–y"), ("Øle", "0le"),
        ("paypal", "раураӏ"),
    ])
    func `names that look alike have one skeleton`(left: String, right: String) {
        #expect(Skeleton(left) == Skeleton(right))
    }

    @Test(arguments: [
        ("bob", "rob"), ("alice", "alicia"), ("erin", "eric"), ("日本", "日木"), ("anna", "ana"), ("bob", ""),
        ("carol", "karol"), ("7", "1"), ("x-y", "xy"),
    ])
    func `names that do not look alike have two`(left: String, right: String) {
        #expect(Skeleton(left) != Skeleton(right))
    }

    @Test(arguments: ["", " ", "\u{200B}\u{202E}", "\u{301}", "\u{1B}"])
    func `a name without ink has an empty one`(name: String) {
        #expect(Skeleton(name).isEmpty)
    }

    @Test func `a huge name costs no more than a long one`() {
        #expect(Skeleton(String(repeating: "a", count: 1_000_000)) == Skeleton(String(repeating: "a", count: 1_000)))
    }
}
