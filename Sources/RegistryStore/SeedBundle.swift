// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import IndexEngine
internal import Model

/// Seed peers packed into one value: 16 octets of ID, 18 of address, and two moments of 8, in network order.
enum SeedBundle {
    private static let stride = 50
    /// Peers in a bundle at most.
    static let limit = 1024

    static func packed(_ rows: some Collection<StoredRegistration>) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(rows.count * stride)
        for row in rows {
            octets.append(word: row.peer.high)
            octets.append(word: row.peer.low)
            octets.append(row.address)
            octets.append(word: UInt64(bitPattern: row.registered.milliseconds))
            octets.append(word: UInt64(bitPattern: row.expires.milliseconds))
        }
        return octets
    }

    /// - Throws: `Damage` for a length that nothing was packed to.
    static func unpack(_ octets: [UInt8], _ body: (StoredRegistration) -> Void) throws {
        var reader = OctetReader(octets)
        while !reader.isAtEnd {
            guard let high = reader.word(), let low = reader.word(), let address = reader.endpoint(),
                let registered = reader.word(), let expires = reader.word()
            else { throw Damage("a bundle of peers is cut short") }
            body(
                StoredRegistration(
                    peer: PeerID(high: high, low: low), address: address,
                    registered: WallTime(milliseconds: Int64(bitPattern: registered)),
                    expires: WallTime(milliseconds: Int64(bitPattern: expires))))
        }
    }
}
