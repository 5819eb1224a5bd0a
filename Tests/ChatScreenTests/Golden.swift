// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import TerminalKit
import Testing

/// Compares a frame with its recorded twin: the grid as text, then the styles, then the cursor.
func check(_ frame: Frame, _ name: String, location: SourceLocation = #_sourceLocation) throws {
    let path = goldenDirectory + name + ".txt"
    let text = described(frame)
    if getenv("PARLEY_RECORD") != nil {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }
    let recorded = try #require(
        contents(path), "no golden frame \(name); PARLEY_RECORD=1 makes one", sourceLocation: location)
    let expected = recorded.split(separator: "\n", omittingEmptySubsequences: false)
    let got = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(expected.count == got.count, "rows of \(name)", sourceLocation: location)
    for (row, (want, have)) in zip(expected, got).enumerated() {
        #expect(want == have, "\(name), line \(row + 1)", sourceLocation: location)
    }
}

private let goldenDirectory = String(#filePath.prefix { _ in true }.dropLast("Golden.swift".count)) + "Goldens/"

private func described(_ frame: Frame) -> String {
    let cursor = frame.cursor.map { "cursor \($0.column),\($0.row)" } ?? "no cursor"
    return (frame.lines + ["--- styles"] + frame.styleLines.map(trimmed) + ["--- " + cursor]).joined(separator: "\n")
        + "\n"
}

/// Plain cells at the right end say nothing.
private func trimmed(_ line: String) -> String {
    String(line.reversed().drop { $0 == "." }.reversed())
}

private func contents(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return String(decoding: bytes, as: UTF8.self)
}
