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
    /// Bytes of one line of `parley pipe`.
    public static let pipeLine = 256 * 1024
    /// UDP port of an index server, unless told otherwise.
    public static let indexPort: UInt16 = 50_000
}
