// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Where `log` finds the messages of all runs.
public protocol HistoryReader: Sendable {
    /// Messages with one peer, or with all, behind a place, oldest first; each with its place, which grows.
    /// - Parameters:
    ///   - place: of the last message that was read; 0 for the beginning.
    ///   - limit: messages at most.
    /// - Throws: what the storage says, as one sentence.
    func messages(
        with peer: PeerID?, after place: Int64, limit: Int
    ) async throws -> [(place: Int64, message: Message)]
}
