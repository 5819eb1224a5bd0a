// SPDX-License-Identifier: GPL-3.0-or-later

/// What the command line decides about the chat screen.
public struct ChatOptions: Equatable, Sendable {
    /// Whether our own glyphs stay within ASCII.
    public var ascii: Bool

    /// Whether peers are spoken to through relays alone, so that none of them learns our address.
    public var hidesAddress: Bool

    public init(ascii: Bool = false, hidesAddress: Bool = false) {
        self.ascii = ascii
        self.hidesAddress = hidesAddress
    }
}
