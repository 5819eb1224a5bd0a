// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// How long the client waits for what.
enum Timing {
    /// Pauses before a request is repeated; they double, as in RFC 8489, §6.2.1.
    static let retransmission: [Span] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4)]
    /// A keepalive: below the 30 s after which Linux's connection tracking forgets a UDP mapping.
    static let keepalive = Span.seconds(20)
    /// How many times a keepalive is repeated before the server counts as gone.
    static let keepaliveRepeats = 2
    /// Pause between attempts to reach a server that is gone, less up to a fifth by chance.
    static let retry = Span.seconds(5)
    /// Seconds over which a server may ask us to come back at most.
    static let spreadLimit = 60
    /// When a lookup gives up.
    static let lookup = Span.seconds(15)
    /// A record is signed anew after half its validity.
    static let recordRefresh = Span.seconds(43_200)
    /// After so long without a word from a peer its cached address is looked up again before the next message.
    static let addressLife = Span.seconds(600)
    /// Pause between questions that datagrams from unexpected addresses make us ask about one peer.
    static let rumour = Span.seconds(5)
    /// Pause after the system took only some of the datagrams that it was given.
    static let busySystem = Span.milliseconds(5)
}
