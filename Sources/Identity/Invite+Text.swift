// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
internal import Model

/// Why a text is no usable invite.
public enum InviteError: Error, Equatable, Sendable {
    /// It does not look like one at all.
    case notAnInvite
    /// One that lost or changed characters on its way.
    case damaged
    /// Of a version that is not known here.
    case newerVersion
    /// Whole, but with a key that no peer or server can have.
    case invalidKey
}

extension InviteError: CustomStringConvertible {
    /// One clause.
    public var description: String {
        switch self {
        case .notAnInvite: "that is no invite; one begins with \(Invite.scheme)"
        case .damaged: "the invite is damaged; copy it again as a whole"
        case .newerVersion: "the invite is of a newer version; update to use it"
        case .invalidKey: "the invite names a key that nobody can have; ask for a new one"
        }
    }
}

/// An invite as text: `parley:` and, in base64url,
///
/// ```
/// octets
/// 1      version, 1
/// 32     the inviter's public key
/// 16     secret
/// 1      number of hints, at most 4; for each:
///   1      length of the server's name
///   …      HOST:PORT
///   1      1 when a key follows, else 0
///   32     the server's public key
/// 4      the first octets of SHA-256 over "parley/invite-check/1" and everything before: against slips of the hand.
///        Every version has this check.
/// ```
extension Invite {
    static let scheme = "parley:"
    private static let version: UInt8 = 1
    private static let checkSize = 4
    /// Characters of the longest invite, and some.
    private static let textLimit = 2048

    /// Reads an invite. Blanks, line ends and one pair of angle brackets around it don't matter.
    public init(_ text: some StringProtocol) throws(InviteError) {
        guard let body = Invite.body(Array(text.utf8)) else { throw .notAnInvite }
        guard let octets = Base64URL.decode(String(decoding: body, as: UTF8.self)), octets.count > Invite.checkSize
        else { throw .damaged }
        let content = Array(octets.dropLast(Invite.checkSize))
        guard Invite.check(content) == octets.suffix(Invite.checkSize) else { throw .damaged }
        var reader = OctetReader(content)
        switch reader.octet() {
        case Invite.version: break
        case .some(let other) where other > Invite.version: throw .newerVersion
        default: throw .damaged
        }
        guard let keyOctets = reader.take(32), let secret = reader.take(Invite.secretSize),
            let count = reader.octet(), count <= Invite.hintLimit
        else { throw .damaged }
        var hints: [IndexHint] = []
        for _ in 0..<count { hints.append(try reader.hint()) }
        guard reader.isAtEnd else { throw .damaged }
        guard let key = PeerKey(octets: keyOctets) else { throw .invalidKey }
        self.init(key: key, secret: Array(secret), indexes: hints)
    }

    /// The line to give away. Hints beyond the limit, and those whose server is no `HOST:PORT` of ASCII letters,
    /// digits, dots, hyphens, underscores and brackets, are left out.
    public var text: String {
        // A secret shorter than it should be proves the same with zeros behind it (RFC 2104, §2).
        let padded = (secret + [UInt8](repeating: 0, count: Invite.secretSize)).prefix(Invite.secretSize)
        let hints = indexes.filter { Invite.isServerName($0.server) }.prefix(Invite.hintLimit)
        var octets = [Invite.version] + key.octets + padded + [UInt8(hints.count)]
        for hint in hints {
            octets += [UInt8(hint.server.utf8.count)] + hint.server.utf8
            octets += hint.key.map { [1] + $0.octets } ?? [0]
        }
        return Invite.text(of: octets)
    }

    /// Octets with their check.
    package static func text(of content: [UInt8]) -> String {
        scheme + Base64URL.encode(content + check(content))
    }

    /// Whether a text is `HOST:PORT` with a port from 1 to 65,535, in at most 255 characters of which none can be taken
    /// for another: names beyond ASCII are written as their A-labels (RFC 5890, §2.3.2.1).
    static func isServerName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= 255, let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        let (host, port) = (bytes[..<colon], bytes[(colon + 1)...])
        let isNumber =
            (1...5).contains(port.count) && port.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard isNumber, let number = UInt16(String(decoding: port, as: UTF8.self)), number > 0 else { return false }
        return host.allSatisfy(isHostCharacter)
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._:[]".utf8.contains(byte)
        }
    }

    /// What stands between the scheme and the end; `nil` without the scheme or when there is too much of it.
    private static func body(_ text: [UInt8]) -> ArraySlice<UInt8>? {
        var rest = trimmed(text[...])
        if rest.first == UInt8(ascii: "<"), rest.last == UInt8(ascii: ">"), rest.count > 1 {
            rest = trimmed(rest.dropFirst().dropLast())
        }
        guard rest.starts(with: scheme.utf8), rest.count <= textLimit else { return nil }
        return rest.dropFirst(scheme.utf8.count)
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let last = text.lastIndex(where: { !isBlank($0) }) else { return [] }
        return text[...last].drop(while: isBlank)
    }

    private static func check(_ content: [UInt8]) -> ArraySlice<UInt8> {
        var hash = SHA256()
        hash.update(data: Array("parley/invite-check/1".utf8))
        hash.update(data: content)
        return Array(hash.finalize()).prefix(checkSize)
    }
}

extension OctetReader {
    fileprivate mutating func hint() throws(InviteError) -> Invite.IndexHint {
        guard let length = octet(), let name = take(Int(length)), let flag = octet(), flag <= 1 else { throw .damaged }
        let server = String(decoding: name, as: UTF8.self)
        guard Invite.isServerName(server) else { throw .damaged }
        guard flag == 1 else { return Invite.IndexHint(server: server) }
        guard let octets = take(32) else { throw .damaged }
        guard let key = PeerKey(octets: octets) else { throw .invalidKey }
        return Invite.IndexHint(server: server, key: key)
    }
}
