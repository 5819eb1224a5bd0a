// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

// What probes have shown of where the other side is, for those who act on it beyond the session itself.
extension PathFinder {
    /// Whether the other side answered a probe at an address.
    public func hasProven(_ endpoint: Endpoint) -> Bool {
        index(of: .direct(endpoint)).map { trials[$0].hasAnswered } ?? false
    }

    /// Where packets go, if that is directly and it answered a probe there; `nil` while there is no such route.
    public var provenEndpoint: Endpoint? {
        guard !gaveUp, let inUse, !inUse.isRelayed, inUse.hasAnswered else { return nil }
        return inUse.route.endpoint
    }
}
