// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What the chat screen wants done: a value, so that a test can compare it.
public enum ChatEffect: Equatable, Sendable {
    case send(to: PeerID, text: String)
    case add(PeerID, name: String?)
    case rename(PeerID, String)
    case remove(PeerID)
    case accept(PeerID)
    case block(PeerID)
    case quit, bell
    /// Stop the process until the shell continues it.
    case suspend
    /// Draw everything anew, whatever the terminal seems to show.
    case redraw
    /// Put a text on the terminal's clipboard.
    case copy(String)
    case setMouse(Bool)
}
