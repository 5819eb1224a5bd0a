// SPDX-License-Identifier: GPL-3.0-or-later
import CVTerm
import Glibc
public import TerminalKit

/// What a terminal shows at one moment.
public struct ScreenText: Equatable, Sendable, CustomStringConvertible {
    /// Row by row, blanks at the right end left out.
    public let lines: [String]
    public let cursor: Point

    /// Whether some row contains a text.
    public func contains(_ text: String) -> Bool { lines.contains { $0.contains(text) } }

    /// The first row that contains a text.
    public func line(containing text: String) -> String? { lines.first { $0.contains(text) } }

    public var description: String {
        let width = lines.map(\.count).max() ?? 0
        let edge = "+" + String(repeating: "-", count: width) + "+\n"
        return edge
            + lines.map { "|" + $0 + String(repeating: " ", count: width - $0.count) + "|\n" }.joined() + edge
    }
}

/// How a cell of the emulator looks.
public struct EmulatedCell: Equatable, Sendable {
    public let text: String
    /// Columns.
    public let width: Int
    public let bold: Bool
    public let underline: Bool
    public let reverse: Bool
    /// Index into the palette; `nil` for the terminal's own colour.
    public let foreground: Int?
    /// Index into the palette; `nil` for the terminal's own colour.
    public let background: Int?
}

/// libvterm: an xterm-like terminal without a window. Not thread-safe.
final class Emulator {
    private let terminal: OpaquePointer
    private let screen: OpaquePointer
    private(set) var size: Size

    init?(size: Size) {
        guard let terminal = vterm_new(Int32(clamping: size.rows), Int32(clamping: size.columns)) else { return nil }
        self.terminal = terminal
        self.size = size
        vterm_set_utf8(terminal, 1)
        screen = vterm_obtain_screen(terminal)
        vterm_screen_enable_altscreen(screen, 1)
        vterm_screen_reset(screen, 1)
    }

    deinit { vterm_free(terminal) }

    /// Takes what a program printed, and returns what the terminal answers to its questions.
    func feed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.withUnsafeBytes { raw in
            _ = vterm_input_write(terminal, raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
        }
        var answer = [CChar](repeating: 0, count: 256)
        let count = vterm_output_read(terminal, &answer, answer.count)
        return answer.prefix(count).map(UInt8.init(bitPattern:))
    }

    func resize(_ size: Size) {
        self.size = size
        // libvterm 0.3 writes a wide character into a single column through a null pointer.
        vterm_set_size(terminal, Int32(clamping: size.rows), Int32(clamping: max(2, size.columns)))
    }

    /// The whole screen as UTF-8, rows parted by newlines.
    var utf8: [UInt8] {
        let whole = VTermRect(
            start_row: 0, end_row: Int32(clamping: size.rows), start_col: 0, end_col: Int32(clamping: size.columns))
        // At most six scalars a cell, of at most four bytes each.
        return [UInt8](unsafeUninitializedCapacity: (size.columns * 24 + 1) * size.rows) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) { chars in
                count = vterm_screen_get_text(screen, chars.baseAddress, chars.count, whole)
            }
        }
    }

    var text: ScreenText {
        var lines = String(decoding: utf8, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in String(line[..<(line.lastIndex { $0 != " " }.map(line.index(after:)) ?? line.startIndex)]) }
        lines += Array(repeating: "", count: max(0, size.rows - lines.count))
        return ScreenText(lines: lines, cursor: cursor)
    }

    var cursor: Point {
        var position = VTermPos()
        vterm_state_get_cursorpos(vterm_obtain_state(terminal), &position)
        return Point(column: Int(position.col), row: Int(position.row))
    }

    func cell(_ place: Point) -> EmulatedCell {
        var raw = VTermScreenCell()
        vterm_screen_get_cell(
            screen, VTermPos(row: Int32(clamping: place.row), col: Int32(clamping: place.column)), &raw)
        let scalars = withUnsafeBytes(of: raw.chars) { bytes in
            bytes.bindMemory(to: UInt32.self).prefix { $0 != 0 && $0 != .max }.compactMap(Unicode.Scalar.init)
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return EmulatedCell(
            text: String(text), width: Int(raw.width), bold: raw.attrs.bold != 0, underline: raw.attrs.underline != 0,
            reverse: raw.attrs.reverse != 0, foreground: palette(raw.fg, VTERM_COLOR_DEFAULT_FG),
            background: palette(raw.bg, VTERM_COLOR_DEFAULT_BG))
    }

    private func palette(_ color: VTermColor, _ standard: VTermColorType) -> Int? {
        let type = UInt32(color.type)
        guard type & standard.rawValue == 0, type & VTERM_COLOR_INDEXED.rawValue != 0 else { return nil }
        return Int(color.indexed.idx)
    }
}
