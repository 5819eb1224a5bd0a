// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
internal import Model

/// What an identity file holds: one line, in the open or under a passphrase.
///
/// ```
/// parley-identity-1 ed25519 <seed>
/// parley-identity-2 ed25519 <log2 N> <r> <p> <salt> <nonce, sealed seed and tag>
/// ```
/// Octets are written in lower-case hex. The second is scrypt (RFC 7914) over the passphrase, and ChaCha20-Poly1305
/// (RFC 8439) over the seed, with everything before it in the line as associated data.
enum IdentityLine {
    case plain(Identity)
    case sealed(Sealed)

    struct Sealed {
        fileprivate var head: String
        fileprivate var cost: PassphraseCost
        fileprivate var salt: [UInt8]
        fileprivate var box: ChaChaPoly.SealedBox
    }

    /// Octets of the longest line, and more: a longer file is none of ours.
    static let sizeLimit = 256

    private static let plainHead = "parley-identity-1 ed25519 "
    private static let sealedHead = "parley-identity-2 ed25519 "
    private static let seedSize = 32
    private static let overhead = 12 + 16

    /// Reads a line; its end may be missing. `nil` when it is none of the two.
    init?(_ text: String) {
        let line = text.hasSuffix("\n") ? text.dropLast() : text[...]
        if line.hasPrefix(Self.plainHead) {
            guard let seed = hexOctets(line.dropFirst(Self.plainHead.count)), let identity = Identity(seed: seed)
            else { return nil }
            self = .plain(identity)
        } else if line.hasPrefix(Self.sealedHead), let sealed = Sealed(line) {
            self = .sealed(sealed)
        } else {
            return nil
        }
    }

    /// The line that keeps an identity, with its end.
    static func plain(of identity: Identity) -> [UInt8] {
        Array("\(plainHead)\(identity.seed.hex)\n".utf8)
    }

    /// The line that keeps an identity under a passphrase, with a salt and a nonce of its own; `nil` when the
    /// passphrase is empty or the memory too small.
    static func sealed(
        of identity: Identity, passphrase: [UInt8], cost: PassphraseCost, random: inout RandomSource
    ) -> [UInt8]? {
        let salt = random.octets(PassphraseCost.saltSize)
        let head = "\(sealedHead)\(cost.text) \(salt.hex) "
        guard let key = cost.key(of: passphrase, salt: salt),
            let box = try? ChaChaPoly.seal(identity.seed, using: key, authenticating: Array(head.utf8))
        else { return nil }
        return Array("\(head)\(box.combined.hex)\n".utf8)
    }

    fileprivate static func isSealedSize(_ count: Int) -> Bool { count == seedSize + overhead }
}

extension IdentityLine.Sealed {
    fileprivate init?(_ line: Substring) {
        let fields = line.split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count == 7, let cost = PassphraseCost(fields[2..<5]),
            let salt = lowerHexOctets(fields[5]), salt.count == PassphraseCost.saltSize,
            let sealed = lowerHexOctets(fields[6]), IdentityLine.isSealedSize(sealed.count),
            let box = try? ChaChaPoly.SealedBox(combined: sealed)
        else { return nil }
        head = String(line.dropLast(fields[6].count))
        self.cost = cost
        self.salt = salt
        self.box = box
    }

    enum Opening {
        case identity(Identity)
        case wrongPassphrase
        case noMemory
    }

    func open(_ passphrase: [UInt8]) -> Opening {
        guard !passphrase.isEmpty else { return .wrongPassphrase }
        guard let key = cost.key(of: passphrase, salt: salt) else { return .noMemory }
        guard let seed = try? ChaChaPoly.open(box, using: key, authenticating: Array(head.utf8)),
            let identity = Identity(seed: Array(seed))
        else { return .wrongPassphrase }
        return .identity(identity)
    }
}
