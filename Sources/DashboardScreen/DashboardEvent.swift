// SPDX-License-Identifier: GPL-3.0-or-later
public import IndexEngine
public import Model
public import TerminalKit

/// What happens to a dashboard.
public enum DashboardEvent: Equatable, Sendable {
    case terminal(TerminalEvent)
    /// The server, as it is now.
    case snapshot(IndexSnapshot)
    /// The server has not answered for so many seconds.
    case disconnected(seconds: Int)
    /// Time passed, and how far the local time is ahead of UTC, in seconds.
    case clock(WallTime, utcOffset: Int)
    /// Something to say for a moment: where a file was saved, why it was not.
    case notice(String)
}

/// What a dashboard wants done.
public enum DashboardEffect: Equatable, Sendable {
    /// Stop the server; the user has confirmed it.
    case quit
    /// Close this display and let the server run.
    case detach
    /// Ask for these rows with the next snapshot, which should come soon.
    case requestRows(RowRequest)
    /// Ask for this peer's details with every snapshot, of which the next should come soon. `DashboardState.request`
    /// says until when.
    case requestDetail(PeerID)
    /// Ask for a snapshot this often.
    case setInterval(Span)
    /// Write a file with this name where the user will find it, and say so: whether addresses in it are masked, too.
    case save(name: String, text: String, masked: Bool)
    /// Put a text on the clipboard.
    case copy(String)
    /// Draw every cell anew.
    case redraw
    /// Stop like any program on Ctrl+Z.
    case suspend
    /// Take mouse events, or leave them to the terminal.
    case setMouse(Bool)
}
