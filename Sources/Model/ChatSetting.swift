// SPDX-License-Identifier: GPL-3.0-or-later

/// What the user can switch. Files and scripts know each by its raw value.
public enum ChatSetting: String, CaseIterable, Sendable {
    /// Telling contacts which of their messages were seen.
    case readReceipts = "read-receipts"
    /// Telling contacts that a message is being written.
    case typing
    /// Telling contacts whether the user is at the keyboard.
    case presence
    /// Passing on for contacts that can't reach each other.
    case relay

    /// Whether it is on until the user says otherwise.
    public var isOnAtFirst: Bool { self != .relay }

    /// Those that are off until the user says otherwise.
    public static let offAtFirst = Set(allCases.filter { !$0.isOnAtFirst })
}
