// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

/// Keeps one registration at one index server: asks for it, proves the address, keeps it alive, comes back after either
/// side was gone; by UDP, or where none comes through by a tunnel. Pure: datagrams and time in, datagrams and status
/// out.
struct IndexLink {
    enum Action: Equatable {
        case send([UInt8])
        /// Past the tunnel, to the server or to its second port.
        case sendByUDP([UInt8], to: Endpoint)
        case status(IndexStatus)
        /// A record with this sequence left; a later one must be larger.
        case signed(sequence: UInt64)
        case tunnel(TunnelCommand)
        /// It has us registered, and did not a moment ago or otherwise.
        case registered
        /// Something new is known of how we are seen.
        case sighted
        /// It has us registered by a tunnel and not by UDP any more, or the other way round.
        case changedWay
    }

    /// What our record says besides where this server sees us.
    struct Publication: Equatable {
        var mapped: Endpoint?
        /// Servers that pass on what comes for us; this one need not be among them.
        var relays: [Endpoint] = []
        /// Where other servers see us.
        var seen: [Endpoint] = []
        /// Whether no address of ours is told.
        var hidesAddress = false
    }

    /// Relays that one record names at most.
    static let relayLimit = 4

    /// Names of a seed's server that are remembered: friends may still write to an older one.
    static let nameLimit = 8

    let server: Endpoint
    /// The server as the user wrote it.
    let name: String
    var status = IndexStatus.connecting
    /// The names that a server of the seed's kind gave us, the newest last.
    var assigned: [PeerID] = []
    /// Whether this server answers as the seed does, without nonces.
    var isSeed = false
    let identity: Identity
    /// What the server has to prove; `nil` when the user pinned none.
    let pinned: PeerKey?
    /// Whether somebody waits for what UDP may bring while there is a tunnel.
    var isWanted = false
    /// Where this server sees us by UDP, and at its second port.
    var sighting: Endpoint?
    var secondSighting: Endpoint?
    /// What it does beyond registrations.
    var offers = ServerOffers()
    /// What it promised; `nil` while we don't count as registered.
    var lease: IndexReply.Lease?
    var publication = Publication()
    /// What the last record said, and when it was signed.
    var signed: (candidates: [Candidate], at: Instant)?
    var way = Way.udp
    /// Why there is no tunnel.
    var tunnelFault: String?
    /// Whether the last lease came by a tunnel.
    var hasTunnelledLease = false
    /// The last question whether UDP comes through.
    var check: UDPCheck?
    /// Whether the next request is for finding out if anything comes through.
    var isDoubted = false
    var second: SecondQuestion?
    /// Failed attempts in a row: the pauses between them grow.
    var failures = 0
    var lastStart = Instant(nanoseconds: 0)
    /// What was wrong with the latest answer as such.
    var fault: String?
    /// What we say about ourselves until the server tells what it sees.
    var address: Endpoint
    var phase: Phase
    var exchange: Exchange?
    var random: RandomSource

    enum Phase {
        case pause(until: Instant)
        case registering(cookie: [UInt8]?)
        case registered(IndexReply.Lease, since: Instant, nextKeepalive: Instant)
        /// A keepalive is under way.
        case checking(IndexReply.Lease, since: Instant)
        /// Registered with a server of the seed's kind, which has no leases.
        case named(PeerID, nextCheck: Instant)
        /// Asks for our own name: a seed's server that was restarted does not know it.
        case checkingName(PeerID)
    }

    /// How datagrams get to the server.
    enum Way: Equatable {
        case udp
        /// A tunnel was asked for; UDP is tried on.
        case opening
        case tunnel
        /// UDP has answered: the registration goes back there before the tunnel is closed.
        case returning
    }

    /// Past the tunnel: do you hear me?
    struct UDPCheck {
        var nonce: String
        var at: Instant
        /// Until the next one, at most.
        var pause: Span
    }

    /// To the second port: where do you see me?
    struct SecondQuestion {
        var nonce: String
        var endpoint: Endpoint
        var tries = 0
        var due: Instant
    }

    /// One request and its repetitions.
    struct Exchange {
        var request: [UInt8]
        /// `nil` for a request of the seed's, whose answers carry none.
        var nonce: String?
        var sentAt: Instant
        /// Whether it is for finding out if anything comes through.
        var isDoubted: Bool
        var repeatAt: Instant
        /// The pauses after that.
        var pauses: ArraySlice<Span>
        /// What the network said meanwhile.
        var failure = "no answer"
        /// When it is time for a tunnel; `nil` when one was asked for.
        var tunnelAt: Instant?
    }

    init(
        server: Endpoint, name: String? = nil, pinned: PeerKey? = nil, identity: Identity, address: Endpoint,
        now: Instant, random: RandomSource
    ) {
        self.server = server
        self.name = name ?? "\(server)"
        self.pinned = pinned
        self.identity = identity
        self.address = address
        self.random = random
        phase = .pause(until: now)
    }

    // MARK: Time

    /// When `advance` has something to do.
    var deadline: Instant {
        [mainDeadline, exchange?.tunnelAt, second?.due, checkDeadline].compactMap { $0 }.min() ?? mainDeadline
    }

    var mainDeadline: Instant {
        if let exchange { return exchange.repeatAt }
        switch phase {
        case .pause(let until): return until
        case .registered(_, _, let next), .named(_, let next): return next
        case .registering, .checking, .checkingName: return Instant(nanoseconds: .max)
        }
    }

    /// Does what is due.
    /// - Parameter sequence: of the last record of this identity, at whichever server.
    mutating func advance(now: Instant, wall: WallTime, sequence: inout UInt64) -> [Action] {
        advanceTunnel(now: now) + advanceSecondPort(now: now) + advanceRegistration(now: now, wall: wall, &sequence)
    }

    // MARK: What all parts use

    mutating func report(_ new: IndexStatus) -> [Action] {
        // The round trip changes each time; the state is what is told.
        let isSame = if case (.ok, .ok) = (status, new) { true } else { status == new }
        status = new
        return isSame ? [] : [.status(new)]
    }

    mutating func newNonce() -> String { Base64URL.encode(random.octets(8)) }

    /// Less up to a fifth, so that peers that started together do not stay together.
    mutating func jittered(_ span: Span) -> Span {
        Span(nanoseconds: span.nanoseconds - UInt64.random(in: 0...span.nanoseconds / 5, using: &random))
    }
}
