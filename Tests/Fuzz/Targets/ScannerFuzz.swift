// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

/// Holds the scanner to the full decoder, and the reply writer to the full encoder.
public struct ScannerFuzz {
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether the scanner reads a request in it, which is where it could err most.
    public var isRequest: Bool {
        switch ScannedRequest.scan(bytes.span) {
        case .query, .seedRegistration, .keepalive: true
        case .noRequest, nil: false
        }
    }

    /// Where scanner and decoder, or writer and encoder, disagree; `nil` where they don't.
    public func fault() -> String? {
        guard let scanned = ScannedRequest.scan(bytes.span) else { return nil }
        let decoded: IndexRequest
        do throws(IndexRequest.Refusal) {
            decoded = try IndexRequest(parsing: bytes)
        } catch {
            if case (.noRequest, .silent) = (scanned, error) { return nil }
            return "scanned \(scanned), decoded \(error)"
        }
        guard meaning(scanned) == decoded else { return "scanned \(scanned), decoded \(decoded)" }
        return faultyReply(to: scanned, decoded)
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func meaning(_ scanned: ScannedRequest) -> IndexRequest? {
        switch scanned {
        case .query(let range, let peer, let nonce, let wantsProof):
            let query = IndexRequest.Query(text: text(range), nonce: nonce.map(text), wantsProof: wantsProof)
            return query.peer == peer ? .query(query) : nil
        case .seedRegistration(let address, let nonce):
            return .registration(.init(address: address, nonce: nonce.map(text)))
        case .keepalive(let peer, let token, let nonce, let wantsProof):
            let octets = PeerID(high: token.0, low: token.1).octets
            return .keepalive(.init(peer: peer, token: octets, nonce: nonce.map(text), wantsProof: wantsProof))
        case .noRequest:
            return nil
        }
    }

    private func faultyReply(to scanned: ScannedRequest, _ decoded: IndexRequest) -> String? {
        var reply: [UInt8] = [0xAA]
        var faults: [String] = []
        func expect(_ expected: IndexReply, _ nonce: String?) {
            let written = Array(reply.dropFirst())
            if reply.first != 0xAA || written != expected.encoded(nonce: nonce) {
                faults.append("\(String(decoding: written, as: UTF8.self)) was written for \(expected)")
            }
            reply = [0xAA]
        }
        switch (scanned, decoded) {
        case (.query(let text, let peer, let nonce, _), .query(let query)):
            for address in addresses(peer) {
                ReplyWriter.answer(address, echoing: text, nonce: nonce, of: bytes.span, to: &reply)
                expect(.answer(address: address, text: query.text, record: nil), query.nonce)
            }
            let record = Array(bytes.prefix(Int(peer.low % 400)))
            ReplyWriter.answer(nil, record: record.span, echoing: text, nonce: nonce, of: bytes.span, to: &reply)
            expect(.answer(address: nil, text: query.text, record: record), query.nonce)
        case (.seedRegistration(let address, let nonce), .registration(let registration)):
            let peer = PeerID(high: UInt64(address.port) &* 0x9E37_79B9_7F4A_7C15, low: UInt64(bytes.count))
            ReplyWriter.registered(peer, nonce: nonce, of: bytes.span, to: &reply)
            expect(.registered(uuid: peer, lease: nil), registration.nonce)
        case (.keepalive(let peer, let token, let nonce, _), .keepalive(let keepalive)):
            let boot = String(decoding: bytes.suffix(Int(token.1 % 40)), as: UTF8.self)
            let seconds = Int(truncatingIfNeeded: token.0)
            ReplyWriter.alive(boot: boot, leaseSeconds: seconds, nonce: nonce, of: bytes.span, to: &reply)
            expect(.alive(boot: boot, leaseSeconds: seconds), keepalive.nonce)
            ReplyWriter.unknown(boot: boot, spreadSeconds: seconds, nonce: nonce, of: bytes.span, to: &reply)
            expect(.unknown(boot: boot, spreadSeconds: seconds), keepalive.nonce)
            for seen in addresses(peer).compactMap({ $0 }) {
                ReplyWriter.moved(boot: boot, seen: seen, nonce: nonce, of: bytes.span, to: &reply)
                expect(.moved(boot: boot, seen: seen), keepalive.nonce)
            }
        default: faults.append("no request to answer")
        }
        return faults.first
    }

    /// None, one of each family, and one with runs of zeros, all from the bits of a peer.
    private func addresses(_ peer: PeerID) -> [Endpoint?] {
        let port = UInt16(truncatingIfNeeded: peer.low)
        let mask = peer.low & 0x0101_0101_0101_0101 &* 0xFF
        return [
            nil, Endpoint(address: .v4(UInt32(truncatingIfNeeded: peer.high)), port: port),
            Endpoint(address: .v6(peer.high, peer.low), port: port),
            Endpoint(address: .v6(peer.high & mask, peer.low & mask.byteSwapped), port: port),
        ]
    }
}
