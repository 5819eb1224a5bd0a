// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

extension JSONValue {
    static func count(_ number: UInt64) -> JSONValue { .integer(Int64(clamping: number)) }
}

extension Span {
    var jsonMicroseconds: JSONValue { .number(Double(nanoseconds) / 1e3) }
}

extension JSONObject {
    func text(_ name: String) throws(WireError) -> String {
        guard let text = string(name) else { throw .badMember(name) }
        return text
    }

    func count(_ name: String) throws(WireError) -> UInt64 {
        guard let number = integer(name), number >= 0 else { throw .badMember(name) }
        return UInt64(number)
    }

    func flag(_ name: String) throws(WireError) -> Bool {
        guard let flag = bool(name) else { throw .badMember(name) }
        return flag
    }

    func int(_ name: String) throws(WireError) -> Int { Int(clamping: try count(name)) }

    /// A length of time in `unit` nanoseconds, whole or not.
    func span(_ name: String, unit: Double = 1e9) throws(WireError) -> Span {
        switch self[name] {
        case .integer(let whole)? where whole >= 0 && whole < 1_000_000_000_000_000:
            return Span(nanoseconds: UInt64((Double(whole) * unit).clamped))
        case .number(let number)? where number >= 0:
            return Span(nanoseconds: UInt64((number * unit).clamped))
        default: throw .badMember(name)
        }
    }

    func time(_ name: String) throws(WireError) -> WallTime {
        guard let time = CreationTime.read(try text(name)) else { throw .badMember(name) }
        return time
    }

    func peer(_ name: String) throws(WireError) -> PeerID {
        guard let peer = PeerID(try text(name)) else { throw .badMember(name) }
        return peer
    }

    func endpoint(_ name: String) throws(WireError) -> Endpoint {
        guard let endpoint = Endpoint(try text(name)) else { throw .badMember(name) }
        return endpoint
    }

    func object(_ name: String) throws(WireError) -> JSONObject {
        guard case .object(let object)? = self[name] else { throw .badMember(name) }
        return object
    }

    /// Numbers of a series; what is none counts as 0.
    func numbers(_ name: String) throws(WireError) -> [UInt32] {
        guard case .array(let values)? = self[name], values.count <= 3600 else { throw .badMember(name) }
        return values.map { if case .integer(let value) = $0 { UInt32(clamping: value) } else { 0 } }
    }

    func objects(_ name: String) throws(WireError) -> [JSONObject] {
        guard case .array(let values)? = self[name] else { throw .badMember(name) }
        return values.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }
}

extension Double {
    /// What an unsigned 64-bit number can hold.
    var clamped: Double { rounded().isFinite ? Swift.min(rounded(), 0x1p63) : 0x1p63 }
}
