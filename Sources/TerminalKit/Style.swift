// SPDX-License-Identifier: GPL-3.0-or-later

/// A colour of the terminal's own palette, so that themes and light backgrounds keep working.
public enum Color: UInt8, Hashable, Sendable {
    /// Whatever the terminal uses when nobody asks.
    case standard
    case black, red, green, yellow, blue, magenta, cyan, white
}

/// How a cell looks. Colour never carries meaning alone: a word or a glyph stands beside it.
public struct Style: Hashable, Sendable {
    public var foreground: Color
    public var background: Color
    public var attributes: Attributes

    /// Attributes besides colour.
    public struct Attributes: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let bold = Attributes(rawValue: 1)
        public static let dim = Attributes(rawValue: 2)
        public static let underline = Attributes(rawValue: 4)
        public static let reverse = Attributes(rawValue: 8)
    }

    public init(_ foreground: Color = .standard, on background: Color = .standard, _ attributes: Attributes = []) {
        self.foreground = foreground
        self.background = background
        self.attributes = attributes
    }

    /// The terminal's default.
    public static let plain = Style()
    public static let bold = Style(.standard, .bold)
    public static let dim = Style(.standard, .dim)
    public static let reverse = Style(.standard, .reverse)
    public static let underline = Style(.standard, .underline)

    private init(_ foreground: Color, _ attributes: Attributes) { self.init(foreground, on: .standard, attributes) }

    /// The same with further attributes.
    public func adding(_ more: Attributes) -> Style { Style(foreground, on: background, attributes.union(more)) }
}
