// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// How long the route in use takes. QUIC's own smoothed round trip holds what an outage took for a minute and more: a
/// packet that waited for its way is no measure of it. So the least of the last few samples counts, and another route
/// begins anew (RFC 9002, §5.2 and §5.3; RFC 9000, §9.4). Pure.
struct RoundTripMeter {
    static let window = 4

    private var samples: [Span] = []
    /// QUIC's last word, to tell a new one from it.
    private var heard: Span?

    var value: Span? { samples.min() }

    /// - Parameter sample: the last one that QUIC took, whether it was here before or not.
    mutating func take(_ sample: Span?) {
        guard let sample, sample != heard else { return }
        heard = sample
        samples = samples.suffix(RoundTripMeter.window - 1) + [sample]
    }

    /// Another route is in use.
    /// - Parameter probe: what a probe of it took.
    mutating func restart(_ probe: Span?) { samples = probe.map { [$0] } ?? [] }
}
