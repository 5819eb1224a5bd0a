// SPDX-License-Identifier: GPL-3.0-or-later

/// What the command line decides about the chat screen.
public struct ChatOptions: Equatable, Sendable {
    /// Whether our own glyphs stay within ASCII.
    public var ascii: Bool

    public init(ascii: Bool = false) { self.ascii = ascii }
}
