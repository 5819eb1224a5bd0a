// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// One line that a user gives to a friend: who to dial, how to be let in, and whom to ask for the address.
public struct Invite: Equatable, Sendable {
    /// An index server that the inviter registers at.
    public struct IndexHint: Equatable, Sendable {
        /// `HOST:PORT`, as one gives it to `--index`.
        public var server: String
        /// The key that it proves; `nil` for a server without one.
        public var key: PeerKey?

        public init(server: String, key: PeerKey? = nil) {
            self.server = server
            self.key = key
        }

        /// Reads `HOST:PORT` or `HOST:PORT#KEY`, the key in base64url or hex; `nil` for a key that is none. Whether the
        /// server can be found is not asked.
        public init?(_ text: some StringProtocol) {
            let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            guard let server = parts.first, !server.isEmpty else { return nil }
            self.init(server: String(server))
            guard parts.count == 2 else { return }
            guard let key = PeerKey(text: parts[1]) else { return nil }
            self.key = key
        }

        /// As it is given to `--index`.
        public var text: String { key.map { "\(server)#\($0.text)" } ?? server }
    }

    /// The key to dial; the peer ID is its hash.
    public var key: PeerKey
    /// 16 octets whose knowledge is proven, never sent: the request is then shown at once.
    public var secret: [UInt8]
    /// Four at most.
    public var indexes: [IndexHint]

    public init(key: PeerKey, secret: [UInt8], indexes: [IndexHint] = []) {
        self.key = key
        self.secret = secret
        self.indexes = indexes
    }

    /// Whom the invite leads to.
    public var peer: PeerID { key.peer }

    /// Octets of a secret.
    public static let secretSize = 16
    /// Hints of an invite at most.
    public static let hintLimit = 4
}
