// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// How long the client waits for what.
enum Timing {
    /// Pauses before a request is repeated; they double, as in RFC 8489, §6.2.1.
    static let retransmission: [Span] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4)]
    /// The same when perhaps nothing comes through, so that it is known soon.
    static let doubted: [Span] = [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2)]
    /// A keepalive: below the 30 s after which Linux's connection tracking forgets a UDP mapping.
    static let keepalive = Span.seconds(20)
    /// The same through a tunnel, for which routers keep what they know for minutes at least.
    static let tunnelKeepalive = Span.seconds(75)
    /// How many times a keepalive is repeated before the server counts as gone.
    static let keepaliveRepeats = 2
    /// Pause between attempts to reach a server that is gone, less up to a fifth by chance; it doubles.
    static let retry = Span.seconds(5)
    static let retryLimit = Span.seconds(60)
    /// Between two attempts at least, however much somebody waits for one.
    static let hurry = Span.seconds(1)
    /// Between two questions at least whether a server has us registered, because sessions have trouble.
    static let verification = Span.seconds(2)
    /// Between two records for one server at least, unless it asks for one.
    static let recordPause = Span.seconds(2)
    /// How long a server may be silent on UDP before a tunnel is asked for: at a registration, at a keepalive, and when
    /// perhaps nothing comes through. In each a repetition had its time, too: one lost packet opens none.
    static let tunnel = Span.seconds(1)
    static let keepaliveTunnel = Span.milliseconds(1500)
    static let doubtedTunnel = Span.milliseconds(500)
    /// When it is first asked whether UDP comes through after a tunnel was opened. The pauses between these questions
    /// double, up to so long with a conversation and without.
    static let firstCheck = Span.seconds(1)
    static let wantedCheck = Span.seconds(5)
    static let idleCheck = Span.seconds(60)

    // MARK: Calls

    /// Pauses before a call is repeated: a server lets one through a second.
    static let calls: [Span] = [.milliseconds(1050), .seconds(2), .seconds(4)]
    /// Between two calls for the same peer at the same server at least.
    static let callPause = Span.seconds(2)
    /// How long a relay that was only asked for one peer is kept.
    static let guest = Span.seconds(300)
    /// When rounds of hole punching begin.
    static let punches: [Span] = [.zero, .seconds(2), .seconds(5)]
    /// Between two tellings of a ladder at least.
    static let ladder = Span.milliseconds(250)
    /// Seconds over which a server may ask us to come back at most.
    static let spreadLimit = 60
    /// When a lookup gives up.
    static let lookup = Span.seconds(15)
    /// A record is signed anew after half its validity.
    static let recordRefresh = Span.seconds(43_200)
    /// After so long without a word from a peer its cached address is looked up again before the next message.
    static let addressLife = Span.seconds(600)
    /// Pause after the system took only some of the datagrams that it was given.
    static let busySystem = Span.milliseconds(5)

    // MARK: Contacts as relays

    /// How long a dial may be without a way that answers before contacts are asked to pass on.
    static let relayAsk = Span.milliseconds(1500)
    /// How long an ask waits for a session with the one that is asked for, and for its answer.
    static let relayWait = Span.seconds(10)
    static let relayAnswer = Span.seconds(12)
    /// Before a contact is asked again for the same peer, when nothing came of it.
    static let relayPause = Span.seconds(10)
    /// How often a channel that is in use is asked for again: a session that nobody uses is closed after a minute.
    static let relayRepeat = Span.seconds(30)
    /// How long a channel is kept that nobody asks for again.
    static let relayKept = Span.seconds(90)

    // MARK: Sessions

    /// How long a session that is up may go without its greeting.
    static let greeting = Span.seconds(10)
    /// Sessions that came up within so long of each other were dialled at the same time.
    static let simultaneous = Span.seconds(10)
    /// How long a session that nobody has a use for stays open.
    static let idle = Span.seconds(60)
    /// A session that held so long shows that the peer is there: the pauses start over.
    static let steady = Span.seconds(5)
    /// Pause after the first try that failed; it doubles.
    static let firstRetry = Span.milliseconds(250)
    /// Pause between tries at most while somebody waits.
    static let urgentRetry = Span.seconds(8)
    /// Pause between tries at most when the peer has been away for long.
    static let idleRetry = Span.seconds(60)
    /// How long a peer that was there counts as likely to come back.
    static let recently = Span.seconds(600)
    /// How long a message waits for its receipt before it is sent again; twice as long each time, at most the limit.
    static let receipt = Span.seconds(30)
    static let receiptLimit = Span.seconds(240)
    /// How long it holds what a peer said about writing.
    static let typing = Span.seconds(6)
    /// How often we repeat what we say about writing.
    static let typingRepeat = Span.seconds(3)
}
