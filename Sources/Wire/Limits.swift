// SPDX-License-Identifier: GPL-3.0-or-later

/// Sizes that both ends agree on.
public enum WireLimits {
    /// Bytes of a request, and of a message on the seed's wire: its programs read into a buffer of this size.
    public static let seedDatagram = 1024
    /// Bytes that a UDP socket of ours reads at most; longer datagrams are cut and so refused.
    public static let receivedDatagram = 2048
    /// Bytes of a signed record.
    public static let record = 384
    /// Bytes of a padded query: as many as the longest answer with a record has.
    public static let paddedQuery = 704
    /// Bytes at least of a registration that asks for a proof: as many as the longest lease and a proof have.
    public static let provenRegistration = 416
    /// Bytes at least of a keepalive that asks for a proof: as many as the longest answer to one and a proof have.
    public static let provenKeepalive = 320
    /// Bytes of UTF-8 in the text of one message between peers with keys.
    public static let text = 64 * 1024
    /// Bytes of one frame of a session: such a text with every character escaped, and the members around it.
    public static let frame = 400 * 1024
    /// Messages that one frame acknowledges at most.
    public static let receipts = 1024
    /// Unicode scalars of what a peer calls itself.
    public static let name = 64
    /// Bytes of one UDP payload of a session, its tag and MAC included: what every path carries (RFC 9000, §14).
    public static let sessionDatagram = 1232
    /// Bytes of a request to be told one's address: no less than the longest answer.
    public static let paddedSeen = 128
    /// Bytes of one line of `parley pipe`.
    public static let pipeLine = 256 * 1024
    /// UDP port of an index server, unless told otherwise.
    public static let indexPort: UInt16 = 50_000
}
