// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Who asks most, in a table of fixed size. A stranger in a taken place wears the owner's count down and takes the
/// place at zero, so that those who come often stay (Karp, Shenker, Papadimitriou 2003, in one row).
struct SourceTally: Sendable {
    private static let size = 1024
    /// Rows told at most.
    static let shown = 64

    private struct Slot {
        var row = SourceRow(prefix: .v4(0), requests: 0, errors: 0, limited: 0)
        var weight: UInt64 = 0
    }

    private var slots = Array(repeating: Slot(), count: size)
    private let secret: UInt64

    init(secret: UInt64) { self.secret = secret }

    mutating func count(_ source: Endpoint, _ result: IndexResult) {
        let prefix = source.address.prefix
        let key = prefix.key
        let place = PeerHash(PeerID(high: key, low: ~key), secret: secret).slot(Self.size - 1)
        if slots[place].weight == 0 {
            slots[place].row = SourceRow(prefix: prefix, requests: 0, errors: 0, limited: 0)
        } else if slots[place].row.prefix != prefix {
            slots[place].weight -= 1
            return
        }
        slots[place].weight &+= 1
        slots[place].row.requests &+= 1
        if result == .limited {
            slots[place].row.limited &+= 1
        } else if result.isError {
            slots[place].row.errors &+= 1
        }
    }

    /// The busiest first.
    var top: [SourceRow] {
        Array(slots.lazy.filter { $0.weight > 0 }.map(\.row).sorted { $0.requests > $1.requests }.prefix(Self.shown))
    }
}
