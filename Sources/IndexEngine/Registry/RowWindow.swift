// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// The windows of the displays that look, one for each order and filter; the one not used for longest gives way.
struct RowWindows: Sendable {
    private static let limit = 8
    /// Nobody looks through a window that was not asked for in that time.
    private static let patience = Span.seconds(60)
    private var windows: [RowWindow] = []

    mutating func page(_ request: RowRequest, of registry: Registry, now: Instant) -> RowPage {
        guard request.limit > 0 else { return RowPage(request: request) }
        windows.removeAll { now.since($0.used) > Self.patience }
        let place = windows.firstIndex { $0.suits(request) }
        var window = place.map { windows.remove(at: $0) } ?? RowWindow()
        if windows.count >= Self.limit { windows.removeFirst() }
        defer { windows.append(window) }
        return window.page(request, of: registry, sharers: windows.count + 1, now: now)
    }
}

/// The rows around those that a display shows, sorted: enough for scrolling a while, made now and then and only while
/// somebody looks. Making it is one walk over the registry that keeps a few thousand rows, however many there are.
struct RowWindow: Sendable {
    /// Rows kept on either side.
    private static let margin = 1024

    private var entries: [RowEntry] = []
    /// The place of the first entry among all that match.
    private var first = 0
    private var matching = 0
    private var request: RowRequest?
    private var made = Instant(nanoseconds: 0)
    /// When it was asked for last.
    private(set) var used = Instant(nanoseconds: 0)

    /// The page that a display asked for.
    /// - Parameter sharers: windows, this one included, that share the time there is for making them.
    mutating func page(_ request: RowRequest, of registry: Registry, sharers: Int, now: Instant) -> RowPage {
        used = now
        if let page = current(request, of: registry, sharers, now: now) { return page }
        fill(request, from: registry, now: now)
        return page(request, at: start(of: request) ?? 0, registry, now)
    }

    // MARK: Showing

    /// The page, if the window is fresh and holds all of it.
    private func current(_ request: RowRequest, of registry: Registry, _ sharers: Int, now: Instant) -> RowPage? {
        guard suits(request), now.since(made) < lifetime(registry.use.total, sharers),
            let start = start(of: request), start >= first,
            min(start + request.limit, matching) <= first + entries.count
        else { return nil }
        return page(request, at: start, registry, now)
    }

    /// Whether it was made for this order and filter.
    func suits(_ request: RowRequest) -> Bool {
        guard let old = self.request else { return false }
        return old.sort == request.sort && old.descending == request.descending && old.filter == request.filter
    }

    /// How long an order is good enough: a second, and so much more for many rows that looking for them stays below two
    /// per cent of the time. A filter writes each row down and takes longer.
    private func lifetime(_ rows: Int, _ sharers: Int) -> Span {
        max(.seconds(1), .microseconds(rows * (request?.filter.isEmpty == false ? 20 : 2) * sharers))
    }

    /// The place of the first row to show; `nil` when the row that shall stay put may lie outside the window.
    private func start(of request: RowRequest) -> Int? {
        var start = request.offset
        if let anchor = request.anchor {
            if let index = entries.firstIndex(where: { $0.peer == anchor.peer }) {
                start = first + index - min(max(0, anchor.position), request.limit)
            } else if self.request?.anchor?.peer != anchor.peer {
                return nil
            }
        }
        return min(max(0, start), max(0, matching - request.limit))
    }

    private func page(_ request: RowRequest, at start: Int, _ registry: Registry, _ now: Instant) -> RowPage {
        let rows = entries.dropFirst(max(0, start - first)).prefix(request.limit).compactMap {
            registry.row($0.peer, now: now)?.row
        }
        return RowPage(request: request, offset: start, rows: rows, matching: matching)
    }

    // MARK: Filling

    private mutating func fill(_ request: RowRequest, from registry: Registry, now: Instant) {
        var filter = RowFilter(request.filter)
        var selection = selection(request, registry, now)
        var count = 0
        registry.forEachLive(now: now) { peer, address, since, until in
            guard filter.matches(peer, address) else { return }
            count += 1
            selection.offer(RowEntry(request, peer, address, since, until))
        }
        (entries, first) = selection.finish()
        matching = count
        self.request = request
        made = now
    }

    /// Which rows to keep: those around the anchor, else those from the offset on.
    private func selection(_ request: RowRequest, _ registry: Registry, _ now: Instant) -> RowSelection {
        let reach = Self.margin + request.limit
        if let anchor = request.anchor, let place = registry.place(anchor.peer, now: now) {
            let pivot = RowEntry(request, anchor.peer, place.address, place.since, place.until)
            return RowSelection(around: pivot, reach: reach)
        }
        let total = registry.use.total
        return request.offset < total - request.limit
            ? RowSelection(first: request.offset + reach) : RowSelection(last: reach)
    }
}

/// A row's place in an order, as numbers that sort upwards whichever way the column runs.
struct RowEntry: Sendable, Comparable {
    let key: (UInt64, UInt64)
    let peer: PeerID

    init(_ request: RowRequest, _ peer: PeerID, _ address: Endpoint, _ since: Tick, _ until: Tick) {
        self.peer = peer
        let key: (UInt64, UInt64) =
            switch request.sort {
            case .peer: (peer.high, peer.low)
            case .kind: (peer.isKeyed ? 0 : 1, 0)
            case .address: address.order
            case .age: (.max - since.order, 0)
            case .expires: (until.order, 0)
            }
        self.key = request.descending ? (.max - key.0, .max - key.1) : key
    }

    static func == (left: RowEntry, right: RowEntry) -> Bool { left.key == right.key && left.peer == right.peer }

    /// Equals stay in the order of their UUIDs, whichever way the column runs.
    static func < (left: RowEntry, right: RowEntry) -> Bool {
        left.key != right.key ? left.key < right.key : left.peer < right.peer
    }
}

/// A compiled filter text.
struct RowFilter {
    private let needle: [UInt8]
    private let inverted: Bool
    /// Used again for each row.
    private var haystack: [UInt8] = []

    private static let (key, seed) = (Array("key".utf8), Array("seed".utf8))

    init(_ text: String) {
        inverted = text.hasPrefix("!")
        needle = Array(text.dropFirst(inverted ? 1 : 0).lowercased().utf8)
    }

    /// Whether the UUID, the address or the kind contains the text.
    mutating func matches(_ peer: PeerID, _ address: Endpoint) -> Bool {
        guard !needle.isEmpty else { return true }
        // One text of all three; what lies between them is in no filter that was typed.
        haystack.removeAll(keepingCapacity: true)
        peer.append(to: &haystack)
        haystack.append(0)
        address.append(to: &haystack)
        haystack.append(0)
        haystack.append(contentsOf: peer.isKeyed ? Self.key : Self.seed)
        return contains(haystack.span) != inverted
    }

    private func contains(_ text: Swift.Span<UInt8>) -> Bool {
        guard text.count >= needle.count else { return false }
        for start in 0...(text.count - needle.count) where text[start] == needle[0] {
            if needle.indices.allSatisfy({ text[start + $0] == needle[$0] }) { return true }
        }
        return false
    }
}

extension Endpoint {
    /// Numerical order, IPv4 first, then by port.
    fileprivate var order: (UInt64, UInt64) {
        switch address {
        case .v4(let bits): (0, UInt64(bits) << 16 | UInt64(port))
        case .v6(let high, let low): (high, low)
        }
    }
}
