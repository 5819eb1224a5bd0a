// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQuic

/// A QUIC connection ID that we chose: 16 random octets, by which packets find their session.
struct ConnectionID: Hashable {
    private let high: UInt64
    private let low: UInt64

    /// Takes `CQ_ID_SIZE` octets.
    init(_ octets: UnsafePointer<UInt8>) {
        let raw = UnsafeRawPointer(octets)
        high = raw.loadUnaligned(as: UInt64.self)
        low = raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    }
}

/// What leads a packet to its session.
struct PacketHeader {
    private let raw: cq_header

    /// `nil` for what is no packet of QUIC version 1.
    init?(_ packet: UnsafeBufferPointer<UInt8>) {
        var raw = cq_header()
        guard cq_packet_header(packet.baseAddress, packet.count, &raw) else { return nil }
        self.raw = raw
    }

    /// Whether it may be one of the first packets to a server, which go to an ID that the client chose.
    var isLong: Bool { raw.is_long }

    /// Where it goes, if that can be an ID of ours.
    var connection: ConnectionID? {
        guard raw.destination_size == Int(CQ_ID_SIZE) else { return nil }
        return withUnsafeBytes(of: raw.destination) { octets in
            octets.assumingMemoryBound(to: UInt8.self).baseAddress.map(ConnectionID.init)
        }
    }

    /// Where it goes, whoever chose that.
    var destination: [UInt8] { withUnsafeBytes(of: raw.destination) { Array($0.prefix(raw.destination_size)) } }
}
