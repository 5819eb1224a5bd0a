// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import FuzzTargets
import Model
import Support
import Testing

/// The fuzzers' corpus and mutations of it, without a fuzzer: the slice that every change must pass.
@Suite struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fuzz/Corpus")

    private static func inputs(_ target: FuzzTarget) throws -> [[UInt8]] {
        let folder = corpus.appendingPathComponent(target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .map { [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `what was found once stays mended`(target: FuzzTarget) throws {
        let inputs = try CorpusTests.inputs(target)
        #expect(inputs.count >= 3)
        for input in inputs { #expect(target.fault(in: input) == nil) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `a second of mutations breaks nothing`(target: FuzzTarget) throws {
        let inputs = try CorpusTests.inputs(target)
        var mutator = Mutator(seed: 0xF0)
        let end = Instant.now + .seconds(1)
        var count = 0
        while Instant.now < end {
            for _ in 0..<50 {
                let input = mutator.mutate(inputs)
                count += 1
                if let fault = target.fault(in: input) {
                    Issue.record("input \(count), base64 \(Data(input).base64EncodedString()): \(fault)")
                    return
                }
            }
        }
        #expect(count >= 50)
    }

    @Test(arguments: FuzzTarget.allCases)
    func `nothing, zeros and noise of every length up to 300`(target: FuzzTarget) {
        var chance = SplitMix64(seed: 0xF1)
        for count in 0...300 {
            for input in [[UInt8](repeating: 0, count: count), chance.bytes(count)] {
                #expect(target.fault(in: input) == nil)
            }
        }
    }
}

/// Changes inputs as libFuzzer does: bits, octets, ranges, splices, and words that mean something.
private struct Mutator {
    private var chance: SplitMix64

    init(seed: UInt64) { chance = SplitMix64(seed: seed) }

    private static let words = [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "-0", "1e400",
        "9223372036854775808",
        "\u{FEFF}", "\u{0}", "\u{FF}\u{FF}",
    ].map { Array($0.utf8) }

    mutating func mutate(_ inputs: [[UInt8]]) -> [UInt8] {
        var bytes = inputs.randomElement(using: &chance) ?? []
        for _ in 0...Int.random(in: 0...3, using: &chance) {
            let at = Int.random(in: 0...bytes.count, using: &chance)
            let end = min(bytes.count, at + Int.random(in: 0...8, using: &chance))
            switch Int.random(in: 0..<7, using: &chance) {
            case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
            case 1 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &chance)
            case 2: bytes.removeSubrange(at..<end)
            case 3: bytes.insert(contentsOf: bytes[at..<end], at: at)
            case 4: bytes.insert(contentsOf: Mutator.words.randomElement(using: &chance) ?? [], at: at)
            case 5: bytes.replaceSubrange(at..., with: (inputs.randomElement(using: &chance) ?? []).dropFirst(at))
            default: bytes.insert(contentsOf: chance.bytes(end - at), at: at)
            }
        }
        return bytes
    }
}
