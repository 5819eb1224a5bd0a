// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// The last queries and registrations, in a ring: a slow display loses lines, and a fast server samples. Whatever is
/// left out is counted, since every event takes a number.
struct QueryFeed {
    /// Entries kept; the oldest make room.
    static let capacity = 2048
    /// Entries told to a display at once; the newest.
    static let page = 512
    /// Entries taken in a tenth of a second, and of datagrams that are no requests.
    static let (pace, noisePace) = (100, 4)
    /// Peers whose every event is taken: those that displays show in detail.
    private static let watchLimit = 4

    private var ring: [FeedEntry] = []
    private var next = 0
    /// The number of the newest event, taken or not; 0 when there was none.
    private(set) var last: UInt64 = 0
    private var window: UInt64 = 0
    private var (taken, noise) = (0, 0)
    /// The newest that there was no room for: whatever is left out, the last one is shown.
    private var tail: FeedEntry?
    private var watched: [PeerID] = []

    init() { ring.reserveCapacity(Self.capacity) }

    /// Takes every event of a peer from now on; the peer watched longest gives way.
    mutating func watch(_ peer: PeerID) {
        guard !watched.contains(peer) else { return }
        if watched.count == Self.watchLimit { watched.removeFirst() }
        watched.append(peer)
    }

    mutating func append(_ event: IndexEvent, took: Span, now: Instant) {
        last &+= 1
        let hasRoom = hasRoom(for: event, now: now)
        guard hasRoom || event.result != .ignored else { return }
        let entry = FeedEntry(sequence: last, event: event, microseconds: UInt32(clamping: took.nanoseconds / 1000))
        if hasRoom { take(entry) } else { tail = entry }
    }

    private mutating func take(_ entry: FeedEntry) {
        if ring.count < Self.capacity { ring.append(entry) } else { ring[next] = entry }
        next = (next + 1) % Self.capacity
    }

    private mutating func hasRoom(for event: IndexEvent, now: Instant) -> Bool {
        let window = now.nanoseconds / 100_000_000
        if window != self.window {
            (self.window, taken, noise) = (window, 0, 0)
            if let tail { take(tail) }
            tail = nil
        }
        if event.result == .ignored {
            noise += 1
            return noise <= Self.noisePace
        }
        taken += 1
        if taken <= Self.pace { return true }
        if case .peer(let peer) = event.target { return watched.contains(peer) }
        return false
    }

    /// What came after an entry, oldest first.
    func entries(after sequence: UInt64) -> [FeedEntry] {
        (newestFirst.prefix(Self.page).prefix { $0.sequence > sequence } + (tail.map { [$0] } ?? []))
            .filter { $0.sequence > sequence }.sorted { $0.sequence < $1.sequence }
    }

    /// The last events about a peer or from an address, newest first.
    func entries(about peer: PeerID, at address: Endpoint?, limit: Int) -> [FeedEntry] {
        Array(newestFirst.lazy.filter { $0.event.target == .peer(peer) || $0.event.source == address }.prefix(limit))
    }

    private var newestFirst: some Sequence<FeedEntry> {
        (0..<ring.count).lazy.map { [ring, next] back in ring[(next + ring.count * 2 - 1 - back) % ring.count] }
    }
}
