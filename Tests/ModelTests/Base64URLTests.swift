// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

@Suite struct `Base64 for URLs` {
    /// RFC 4648, §10, without the padding.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func `agrees with the vectors of its standard`(plain: String, encoded: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(plain.utf8))
    }

    @Test func `uses the alphabet for URLs`() {
        #expect(Base64URL.encode([0xFB, 0xFF, 0xBF]) == "-_-_")
        #expect(Base64URL.decode("-_-_") == [0xFB, 0xFF, 0xBF])
    }

    @Test(arguments: [
        "A", "AAAAA", "Zg==", "Zg=", "Z g", "Zg\n", "+/+/", "Zm9v!", "ZÄ", "\0\0",
        // Stray bits: Zg with any of the four that must be 0, Zm8 with any of its two.
        "Zh", "Zi", "Zk", "Zo", "Zm9", "Zm-",
    ])
    func `refuses what is not the one text of a value`(encoded: String) {
        #expect(Base64URL.decode(encoded) == nil)
    }

    @Test func `brings back every length`() {
        var random = SplitMix64(seed: 4)
        for count in 0..<300 {
            let octets = (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &random) }
            let encoded = Base64URL.encode(octets)
            #expect(encoded.utf8.count == (count * 4 + 2) / 3)
            #expect(Base64URL.decode(encoded) == octets)
        }
    }
}
