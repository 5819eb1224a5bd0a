// SPDX-License-Identifier: GPL-3.0-or-later

/// The head of an HTTP/1.x request, as far as a server of one page needs it (RFC 9112).
struct HTTPRequest: Equatable {
    var method: String
    /// The target's path, without its query.
    var path: String

    /// Why a head can't be served: the status that says so.
    enum Fault: Int, Error {
        case malformed = 400
        case tooLarge = 431
        case version = 505
    }

    /// Bytes of a head at most.
    static let limit = 4096

    /// Reads a head.
    /// - Returns: `nil` while its end has not come.
    init?(head bytes: [UInt8]) throws(Fault) {
        guard let lines = try Self.lines(bytes) else { return nil }
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words.allSatisfy({ !$0.isEmpty }) else { throw .malformed }
        guard words[2].hasPrefix("HTTP/") else { throw .malformed }
        guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { throw .version }
        let names = lines.dropFirst().map { $0.prefix { $0 != ":" }.lowercased() }
        guard words[2] == "HTTP/1.0" || names.count(where: { $0 == "host" }) == 1 else { throw .malformed }
        method = String(words[0])
        path = Self.path(words[1])
    }

    /// The lines up to the empty one; empty lines before the first don't count (RFC 9112, 2.2).
    private static func lines(_ bytes: [UInt8]) throws(Fault) -> [String]? {
        var lines: [String] = []
        var rest = bytes.prefix(limit)
        while let end = rest.firstIndex(of: 0x0A) {
            let line = rest[..<end].last == 0x0D ? rest[..<end].dropLast() : rest[..<end]
            rest = rest[(end + 1)...]
            guard !line.isEmpty else {
                if lines.isEmpty { continue }
                return lines
            }
            guard line.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }) else { throw .malformed }
            lines.append(String(decoding: line, as: UTF8.self))
        }
        guard bytes.count < limit else { throw .tooLarge }
        return nil
    }

    /// Of `/metrics?x` and `http://host/metrics` alike (RFC 9112, 3.2).
    private static func path(_ target: Substring) -> String {
        var rest = target
        if rest.lowercased().hasPrefix("http://") { rest = rest.dropFirst(7).drop { $0 != "/" } }
        return String(rest.prefix { $0 != "?" })
    }
}
