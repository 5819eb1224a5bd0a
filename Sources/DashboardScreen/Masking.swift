// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText

extension Endpoint {
    func shown(unmasked: Bool) -> DisplayText {
        guard !isDiscard else { return tunnel(unmasked: unmasked) }
        return DisplayText(unmasked ? description : masked)
    }

    /// Whoever comes by a tunnel is at no address: the server's number for it tells one from another.
    private func tunnel(unmasked: Bool) -> DisplayText { unmasked ? DisplayText("TLS \(address)") : "TLS" }

    /// Without the port.
    func shownAddress(unmasked: Bool) -> DisplayText {
        guard !isDiscard else { return tunnel(unmasked: unmasked) }
        let text = unmasked ? description : masked
        let host = text[..<(text.lastIndex(of: ":") ?? text.endIndex)]
        return DisplayText(host.filter { $0 != "[" && $0 != "]" }, style: .stripped)
    }

    /// Still an address, for files, but no machine's: what `masked` hides is zero. Loopback names nobody and stays.
    fileprivate var hostless: Endpoint {
        guard !isLoopback else { return self }
        return switch address {
        case .v4(let bits): Endpoint(address: .v4(bits & ~0xFF), port: port)
        case .v6(let high, _): Endpoint(address: .v6(high, 0), port: port)
        }
    }
}

extension Endpoint.Address {
    /// The first address of its group: an IPv4 /24, an IPv6 /48.
    var group: Endpoint.Address {
        switch self {
        case .v4(let bits): .v4(bits & ~0xFF)
        case .v6(let high, _): .v6(high & ~0xFFFF, 0)
        }
    }

    /// A group of sources: `203.0.113.x`, unmasked `203.0.113.0/24`.
    func shownGroup(unmasked: Bool) -> DisplayText {
        if Endpoint(address: self, port: 1).isDiscard { return "TLS" }
        return switch self {
        case .v4(let bits):
            DisplayText(unmasked ? "\(self)/24" : "\(bits >> 24).\(bits >> 16 & 0xFF).\(bits >> 8 & 0xFF).x")
        // Five zero groups at the end are always the longest run, so the text of a group ends in `::`.
        case .v6: DisplayText(unmasked ? "\(self)/48" : "\(group)x")
        }
    }
}

extension IndexSnapshot {
    /// The same without anything that leads to one machine: addresses without their last part, no signed record, for it
    /// lists addresses, no filter, for it may be one, and no pairs,
    /// for who talks with whom is nobody's business.
    var masked: IndexSnapshot {
        var masked = self
        masked.page = page.masked
        masked.feed = feed.map(\.masked)
        masked.sources = sources.map { source in
            var source = source
            source.prefix = source.prefix.group
            return source
        }
        masked.relay.pairs = []
        masked.detail?.row = detail?.row?.masked
        masked.detail?.record = []
        masked.detail?.queries = detail?.queries.map(\.masked) ?? []
        return masked
    }
}

extension RowPage {
    fileprivate var masked: RowPage {
        var masked = self
        masked.request.filter = ""
        masked.rows = rows.map(\.masked)
        return masked
    }
}

extension RegistrationRow {
    fileprivate var masked: RegistrationRow {
        var masked = self
        masked.address = address.hostless
        return masked
    }
}

extension FeedEntry {
    fileprivate var masked: FeedEntry {
        var masked = self
        masked.event.source = event.source.hostless
        return masked
    }
}
