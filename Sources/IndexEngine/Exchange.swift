// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Wire

/// One datagram on its way to an outcome.
struct Exchange {
    let size: Int
    /// Where the answer goes.
    let source: Endpoint
    /// Where the datagram came from: another address if it came by a tunnel.
    let origin: Endpoint
    /// Which of this machine's addresses the datagram was sent to.
    let local: UInt8
    let now: Instant
    let wall: WallTime
    let isFinal: Bool
    var operation = IndexOperation.unknown
    var target = IndexTarget.none
    var result = IndexResult.ignored
    var change: RegistryChange?
    var failing: IndexMachine.Failing?
    var notice: IndexMachine.Notice?
    /// Who signs the answer. A signature takes about 16 µs, so only those get one who ask.
    var prover: Identity?
    private(set) var verdict = IndexMachine.Verdict.silence
    /// What goes back, if the verdict says so.
    var reply: [UInt8]

    /// - Parameter buffer: for the reply; what was in it goes.
    init(
        size: Int, source: Endpoint, origin: Endpoint? = nil, local: UInt8 = LocalAddresses.unknown, now: Instant,
        wall: WallTime, isFinal: Bool = false, buffer: inout [UInt8]
    ) {
        reply = []
        swap(&reply, &buffer)
        reply.removeAll(keepingCapacity: true)
        self.size = size
        self.source = source
        self.origin = origin ?? source
        self.local = local
        self.now = now
        self.wall = wall
        self.isFinal = isFinal
    }

    var outcome: IndexMachine.Outcome {
        let event = IndexEvent(time: wall, operation: operation, source: origin, target: target, result: result)
        return IndexMachine.Outcome(
            verdict: verdict, event: event, change: change, notice: notice, failing: failing)
    }

    private mutating func answer(_ bytes: [UInt8]) {
        reply = bytes
        verdict = .reply
    }

    /// Answers what was written to `reply`, unless that is larger than the request.
    mutating func sendWritten() {
        if reply.count <= size { verdict = .reply }
    }

    /// Answers what was written to `reply`, as the seed does.
    mutating func sendWrittenAsSeed() { verdict = .reply }

    /// Leaves the answer until the store was asked.
    mutating func ask(_ peer: PeerID) {
        result = .unready
        verdict = .askStore(peer)
    }

    /// Holds the answer back until the row is durable.
    mutating func store(_ row: StoredRegistration?) {
        guard verdict == .reply, let row else { return }
        change = .put(row)
        verdict = .replyWhenDurable
    }

    /// Answers, with a proof if one is wanted and there is room, unless that would be larger than the request.
    @discardableResult
    mutating func send(_ answer: IndexReply, nonce: String?) -> Bool {
        let bytes = answer.encoded(nonce: nonce)
        guard bytes.count <= size else { return false }
        self.answer(proven(answer, nonce, room: size - bytes.count) ?? bytes)
        return true
    }

    /// Answers as the seed does, whose answers may be a little larger than its requests.
    mutating func sendAsSeed(_ answer: IndexReply, nonce: String?) {
        let bytes = answer.encoded(nonce: nonce)
        self.answer(proven(answer, nonce, room: size - bytes.count) ?? bytes)
    }

    private func proven(_ answer: IndexReply, _ nonce: String?, room: Int) -> [UInt8]? {
        guard let prover, let nonce, room >= IndexProof.encodedSize,
            let signature = try? prover.sign(answer.statement(nonce: nonce))
        else { return nil }
        return answer.encoded(nonce: nonce, proof: IndexProof(signature: signature, key: prover.key.octets))
    }

    mutating func deny(_ denial: Denial, nonce: String?) {
        result = .denied(denial)
        fail(denial.rawValue, nonce: nonce)
    }

    mutating func fail(_ reason: String, nonce: String?) {
        guard !send(.failed(reason: reason), nonce: nonce) else { return }
        let bytes = Self.failure(reason, nonce: nonce, size: size)
        if !bytes.isEmpty { answer(bytes) }
    }

    /// Says why, or if there is no room that something was wrong, or nothing.
    static func failure(_ reason: String, nonce: String?, size: Int) -> [UInt8] {
        let bytes = IndexReply.failed(reason: reason).encoded(nonce: nonce)
        if bytes.count <= size { return bytes }
        let bare = (["status": "error"] as JSONObject).encoded()
        return bare.count <= size ? bare : []
    }
}
