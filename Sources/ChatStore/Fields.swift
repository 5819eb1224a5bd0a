// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import Foundation
internal import GRDB
internal import Model

/// Reading columns without trusting them: a damaged file must not stop the program.
extension Row {
    func octets(_ index: Int) throws -> [UInt8]? {
        switch (self[index] as DatabaseValue).storage {
        case .blob(let data): Array(data)
        case .null: nil
        default: throw Damage("a field has the wrong type")
        }
    }

    func text(_ index: Int) throws -> String? {
        try octets(index).map { String(decoding: $0, as: UTF8.self) }
    }

    func integer(_ index: Int) throws -> Int64? {
        switch (self[index] as DatabaseValue).storage {
        case .int64(let number): number
        case .null: nil
        default: throw Damage("a field has the wrong type")
        }
    }

    func required(_ index: Int) throws -> Int64 {
        guard let number = try integer(index) else { throw Damage("a field is missing") }
        return number
    }

    func peer(_ index: Int) throws -> PeerID {
        guard let octets = try octets(index), let peer = PeerID(octets: octets) else {
            throw Damage("an ID is missing")
        }
        return peer
    }
}

/// Values as the tables hold them.
extension Collection where Element == UInt8 {
    var blob: DatabaseValue { Data(self).databaseValue }
}

extension String {
    var blob: DatabaseValue { utf8.blob }
}

extension PeerID {
    var blob: DatabaseValue { octets.blob }
}

extension MessageID {
    var blob: DatabaseValue { octets.blob }
}

extension UInt64 {
    /// The same 64 bits.
    var signed: Int64 { Int64(bitPattern: self) }
}

extension Database {
    /// Runs a cached statement.
    /// - Returns: how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?] = []) throws -> Int {
        try cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
        return changesCount
    }

    /// The first row of a cached statement.
    func first(_ sql: String, _ arguments: [(any DatabaseValueConvertible)?] = []) throws -> Row? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    }

    /// Every row of a cached statement, made into a value at once.
    func values<Value>(
        _ sql: String, _ arguments: [(any DatabaseValueConvertible)?] = [], _ make: (Row) throws -> Value
    ) throws -> [Value] {
        let rows = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
        var made: [Value] = []
        while let row = try rows.next() { made.append(try make(row)) }
        return made
    }
}
