// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import QRCode
import Support
import Testing

@Suite struct `A QR code` {
    private static let invite = """
        parley:AQOhB7_zzhC-HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAECAwQFBgcICQoLDA0ODwIXaW5kZXguZXhhbXBsZS5vcmc6NTAwMDAB11qY\
        AYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURoTWzIwMDE6ZGI4Ojo3XTo1MDAwMQCP8cpk
        """

    @Test func `is drawn as before`() throws {
        let code = try #require(QRCode("parley"))
        let rows = (0..<code.size).map { y in
            String((0..<code.size).map { x in code[x, y] ? "#" : "." })
        }
        #expect(rows == Self.golden, "\(rows.joined(separator: "\n"))")
    }

    @Test(
        .enabled(if: Self.reader != nil, "needs zbarimg, of the package zbar-tools"),
        arguments: [
            "p", "parley", invite, "grüße, 世界", String(repeating: "x", count: 1000),
            String(repeating: "y", count: 2953),
        ])
    func `is read by another program`(text: String) throws {
        let code = try #require(QRCode(text))
        let directory = try TemporaryDirectory()
        let file = directory.file("code.pgm")
        try Data(Self.image(of: code)).write(to: URL(fileURLWithPath: file))
        let result = try ChildProcess.run([#require(Self.reader), "--quiet", "--raw", "-Sbinary", file])
        #expect(result.out.trimmingCharacters(in: .newlines) == text, "\(result.err)")
    }

    @Test func `has an upper end, and needs a text`() {
        #expect(QRCode(String(repeating: "y", count: 2954)) == nil)
        #expect(QRCode(String(repeating: "y", count: 100_000)) == nil)
        #expect(QRCode("") == nil)
    }

    @Test(arguments: [(1, 21), (17, 21), (18, 25), (32, 25), (33, 29), (2953, 177)])
    func `is as small as its text allows`(count: Int, size: Int) {
        #expect(QRCode(String(repeating: "z", count: count))?.size == size)
    }

    @Test func `is light outside`() throws {
        let code = try #require(QRCode("parley"))
        #expect(code[0, 0] && code[20, 0] && code[0, 20])
        for (x, y) in [(-1, 0), (0, -1), (21, 0), (0, 21), (.min, .max)] { #expect(!code[x, y]) }
    }

    /// A grey picture (netpbm's raw PGM) at four pixels a module, with the margin.
    private static func image(of code: QRCode) -> [UInt8] {
        let (scale, margin) = (4, QRCode.quietZone)
        let width = (code.size + 2 * margin) * scale
        let pixels = (0..<width).flatMap { y in
            (0..<width).map { x in code[x / scale - margin, y / scale - margin] ? 0 : 255 as UInt8 }
        }
        return Array("P5 \(width) \(width) 255\n".utf8) + pixels
    }

    private static let reader = ["/usr/bin/zbarimg", "/usr/local/bin/zbarimg"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private static let golden = [
        "#######.....#.#######",
        "#.....#..###..#.....#",
        "#.###.#..#..#.#.###.#",
        "#.###.#..#.##.#.###.#",
        "#.###.#.#.#...#.###.#",
        "#.....#..###..#.....#",
        "#######.#.#.#.#######",
        "........#...#........",
        "..##..#####.###.#....",
        ".#####..#....###..#.#",
        "...####..#.....##..##",
        "##.......##...#..#.#.",
        "#..##.##...##.#.##...",
        "........#.##..#..#.#.",
        "#######.#.#.###.#.#..",
        "#.....#..##.#....##.#",
        "#.###.#.....#...#####",
        "#.###.#.#.###..#.###.",
        "#.###.#.#..#..#...#..",
        "#.....#..#####.#....#",
        "#######..###.####.#..",
    ]
}
