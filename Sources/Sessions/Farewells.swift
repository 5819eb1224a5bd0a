// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

/// The last packets of sessions that are over, for those who have not noticed (RFC 9000, §10.2.1).
struct Farewells {
    private struct Entry {
        let datagram: Datagram
        let until: Instant
        var asked: UInt64 = 0
    }

    /// IDs remembered; what comes beyond is not.
    private static let capacity = 512

    private var entries: [ConnectionID: Entry] = [:]

    var deadline: Instant? { entries.values.lazy.map(\.until).min() }

    mutating func add(_ ids: Set<ConnectionID>, _ datagram: Datagram, until: Instant) {
        for id in ids where entries.count < Farewells.capacity {
            entries[id] = Entry(datagram: datagram, until: until)
        }
    }

    /// The last packet again, for the 1st, 2nd, 4th, 8th … packet that comes.
    mutating func answer(to id: ConnectionID, now: Instant) -> Datagram? {
        guard var entry = entries[id], entry.until > now else { return nil }
        entry.asked += 1
        entries[id] = entry
        return entry.asked & (entry.asked - 1) == 0 ? entry.datagram : nil
    }

    mutating func expire(now: Instant) {
        if !entries.isEmpty { entries = entries.filter { $0.value.until > now } }
    }
}
