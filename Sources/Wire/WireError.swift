// SPDX-License-Identifier: GPL-3.0-or-later

/// Why bytes from outside were refused.
public enum WireError: Error, Equatable, Sendable {
    /// Not one JSON value in UTF-8; `at` is the offset of the first byte that does not fit.
    case notJSON(at: Int)
    /// Nested deeper than the limit.
    case tooDeep(limit: Int)
    /// More bytes than the limit.
    case tooLong(bytes: Int, limit: Int)
    /// A JSON value, but not an object.
    case notAnObject
    /// An object without a known, textual `req_type`: never answered, or two servers could be set answering each other.
    case notARequest
    /// A member is missing, has the wrong type or is out of range.
    case badMember(String)
}

extension WireError: CustomStringConvertible {
    /// One sentence.
    public var description: String {
        switch self {
        case .notJSON(let offset): "This is no JSON: byte \(offset) does not fit."
        case .tooDeep(let limit): "This JSON is nested deeper than \(limit) levels."
        case .tooLong(let bytes, let limit): "This has \(bytes) bytes; the limit is \(limit)."
        case .notAnObject: "This JSON is no object."
        case .notARequest: "This names no request that an index server knows."
        case .badMember(let name): "The member '\(name)' is missing or unusable."
        }
    }
}
