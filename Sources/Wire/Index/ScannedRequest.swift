// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A request of a common shape, read where it lies: values, and ranges of the datagram, without a heap allocation.
///
/// It means what ``IndexRequest`` reads from the same bytes, always; a test holds both to it. What is not a common
/// shape is left to ``IndexRequest``.
public enum ScannedRequest: Sendable {
    /// A query for a UUID; `text` is the UUID as it was written, without its quotes.
    case query(text: Range<Int>, peer: PeerID, nonce: Range<Int>?, wantsProof: Bool)
    /// A registration without a record.
    case seedRegistration(address: Endpoint, nonce: Range<Int>?)
    /// A keepalive with a token of 16 octets; the first eight are in the first word, the first octet highest.
    case keepalive(peer: PeerID, token: (UInt64, UInt64), nonce: Range<Int>?, wantsProof: Bool)
    /// Nothing that an index server answers: ``IndexRequest/Refusal/silent(_:)``.
    case noRequest

    /// Reads a request whose members are strings without escapes and in ASCII, whole numbers and truth values, in any
    /// order and with any space between them.
    /// - Returns: `nil` for anything else that may be a request: ``IndexRequest/init(parsing:)`` decides.
    public static func scan(_ bytes: Swift.Span<UInt8>) -> ScannedRequest? {
        do throws(ScanStop) {
            var scanner = RequestScanner()
            return try scanner.members(bytes).request(bytes)
        } catch {
            return error == .noRequest ? .noRequest : nil
        }
    }
}

/// Why a scan ended early.
enum ScanStop: Error {
    /// The full decoder would refuse the datagram here, whatever follows.
    case noRequest
    /// The full decoder may have something to say.
    case undecided
}
