// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Traversal

/// What the probes of one session are called and keyed by: the dialled peer's ID until it is up, secrets of its own
/// afterwards. Answers to the former may still come then.
struct SessionProbes {
    private let dial: (key: ProbeKey, reference: UInt64)?
    private var keys: SessionProbeKeys?

    /// - Parameter reference: by which the dialled side knows our probes.
    init(dialled key: PeerKey, reference: UInt64) { dial = (.dialled(key.peer), reference) }

    /// Of a session that came in: nothing is probed before it is up.
    init() { dial = nil }

    mutating func up(binding: [UInt8], isClient: Bool) {
        keys = SessionProbeKeys(binding: binding, isClient: isClient)
    }

    /// Whether anything can be probed.
    var areKeyed: Bool { dial != nil || keys != nil }

    /// All that probes for this session may be called.
    var references: [UInt64] { [dial?.reference, keys?.reference].compactMap { $0 } }

    func ping(_ transaction: ProbeTransaction) -> [UInt8]? {
        if let keys { return Probe(.ping, reference: keys.reference, transaction: transaction).encoded(keys.sending) }
        return dial.map { Probe(.ping, reference: $0.reference, transaction: transaction).encoded($0.key) }
    }

    /// A ping of the other side of this session; `nil` if it is none.
    func ping(from bytes: [UInt8]) -> Probe? { keys.flatMap { Probe(bytes, key: $0.receiving) } }

    /// The answer to such a ping.
    func encoded(_ pong: Probe) -> [UInt8]? { keys.map { pong.encoded($0.sending) } }

    /// An answer to a ping of ours; `nil` if it is none.
    func pong(from bytes: [UInt8]) -> Probe? {
        if let keys, let probe = Probe(bytes, key: keys.receiving) { return probe }
        return dial.flatMap { Probe(bytes, key: $0.key) }
    }
}
