// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
internal import Identity
internal import Wire

/// How QUIC packets lie in datagrams on the one UDP port, beside JSON (which begins with `{`).
///
///     0x01 ‖ QUIC packet
///     0x02 ‖ mac1 (16 octets) ‖ QUIC packet
///
/// The dialler sends the second form until its handshake is confirmed; everybody else, and everything later, the first.
/// `mac1` is the first half of HMAC-SHA256 over the QUIC packet with SHA-256("parley/mac1/1" ‖ dialled key) as its key:
/// it proves nothing but that the sender knows whom it calls. Without it a port keeps silent, so that it does not tell
/// who lives there, nor that anybody does.
enum SessionDatagram {
    static let plainTag = DatagramTag.session
    static let dialTag = DatagramTag.dial
    static let macSize = 16

    /// Whether a datagram's first byte says that it belongs to sessions: their packets, probes, and either through a
    /// relay.
    static func isSession(_ bytes: [UInt8]) -> Bool {
        switch bytes.first {
        case plainTag, dialTag, DatagramTag.probe, DatagramTag.relay: true
        default: false
        }
    }

    /// Octets before the packet.
    static func overhead(_ mac: MAC1?) -> Int { mac == nil ? 1 : 1 + macSize }

    /// A datagram around the packet that `write` puts into `capacity` octets; `nil` when it writes none.
    static func make(
        _ mac: MAC1?, capacity: Int, _ write: (UnsafeMutableBufferPointer<UInt8>) -> Int
    ) -> [UInt8]? {
        let overhead = overhead(mac)
        var bytes = [UInt8](unsafeUninitializedCapacity: overhead + capacity) { buffer, count in
            buffer[..<overhead].initialize(repeating: 0)
            let written = write(UnsafeMutableBufferPointer(rebasing: buffer[overhead...]))
            count = written > 0 ? overhead + min(written, capacity) : 0
        }
        guard bytes.count > overhead else { return nil }
        bytes[0] = mac == nil ? plainTag : dialTag
        if let mac { bytes.replaceSubrange(1..<overhead, with: mac.code(over: bytes[overhead...])) }
        return bytes
    }
}

/// What a dialler's packets are marked with: the knowledge of the key that it dials.
struct MAC1: Sendable {
    private let key: SymmetricKey

    init(dialled: PeerKey) {
        var hash = SHA256()
        hash.update(data: Array("parley/mac1/1".utf8))
        hash.update(data: dialled.octets)
        key = SymmetricKey(data: hash.finalize())
    }

    func code(over packet: ArraySlice<UInt8>) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: packet, using: key).prefix(SessionDatagram.macSize))
    }

    /// Whether a datagram of the dialler's form carries the right code; takes the same time whichever octet is wrong.
    func isRight(_ datagram: [UInt8]) -> Bool {
        let overhead = SessionDatagram.overhead(self)
        guard datagram.count > overhead else { return false }
        let expected = code(over: datagram[overhead...])
        return zip(expected, datagram[1..<overhead]).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
