// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import Foundation
internal import GRDB
internal import Model

/// Reading columns without trusting them: a damaged file must not stop the program.
extension Row {
    func integer(_ index: Int) throws -> Int64 {
        guard case .int64(let number) = (self[index] as DatabaseValue).storage else {
            throw Damage("a number is missing")
        }
        return number
    }

    /// A signed column that holds the 64 bits of an unsigned number.
    func word(_ index: Int) throws -> UInt64 { UInt64(bitPattern: try integer(index)) }

    func octets(_ index: Int) throws -> [UInt8] {
        try withUnsafeData(atIndex: index) { data in
            guard let data else { throw Damage("a value is missing") }
            return Array(data)
        }
    }

    func moment(_ index: Int) throws -> WallTime { WallTime(milliseconds: try integer(index)) }

    func peer(_ index: Int) throws -> PeerID {
        var reader = OctetReader(try octets(index))
        guard let high = reader.word(), let low = reader.word(), reader.isAtEnd else {
            throw Damage("an ID has the wrong length")
        }
        return PeerID(high: high, low: low)
    }

    func endpoint(_ index: Int) throws -> Endpoint {
        var reader = OctetReader(try octets(index))
        guard let endpoint = reader.endpoint(), reader.isAtEnd else {
            throw Damage("an address has the wrong length")
        }
        return endpoint
    }
}

/// Values as the tables hold them.
extension [UInt8] {
    var blob: DatabaseValue { Data(self).databaseValue }
}

extension PeerID {
    var blob: DatabaseValue {
        var octets: [UInt8] = []
        octets.reserveCapacity(16)
        octets.append(word: high)
        octets.append(word: low)
        return octets.blob
    }
}

extension Endpoint {
    var blob: DatabaseValue {
        var octets: [UInt8] = []
        octets.reserveCapacity(18)
        octets.append(self)
        return octets.blob
    }
}

extension WallTime {
    var number: DatabaseValue { milliseconds.databaseValue }
}
