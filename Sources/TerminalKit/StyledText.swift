// SPDX-License-Identifier: GPL-3.0-or-later
public import SafeText

/// Pieces of text, each in its own style, on one row.
public struct StyledText: Equatable, Sendable {
    /// One piece.
    public struct Span: Equatable, Sendable {
        public var text: DisplayText
        public var style: Style
    }

    public private(set) var spans: [Span] = []
    /// The width of all of them.
    public private(set) var columns = 0

    public init() {}

    /// A single piece.
    public init(_ text: DisplayText, _ style: Style = .plain) { append(text, style) }

    /// Adds a piece at the right.
    public mutating func append(_ text: DisplayText, _ style: Style = .plain) {
        guard !text.isEmpty else { return }
        spans.append(Span(text: text, style: style))
        columns += text.columns
    }

    /// Adds blanks until the width is reached.
    public mutating func pad(to width: Int) {
        guard columns < width else { return }
        append(DisplayText(" ").repeated(width - columns))
    }
}

extension Frame {
    /// Writes a row of pieces, as `put` of each would.
    /// - Returns: the column after the last one written.
    @discardableResult
    public mutating func put(_ text: StyledText, column: Int, row: Int, limit: Int = .max) -> Int {
        var position = column
        var room = limit
        for span in text.spans {
            let end = put(span.text, column: position, row: row, style: span.style, limit: room)
            // A piece that was cut ends the row: a narrower one behind it must not slip into its place.
            guard end - position == span.text.columns else { return end }
            room = limit == .max ? .max : room - (end - position)
            position = end
        }
        return position
    }
}
