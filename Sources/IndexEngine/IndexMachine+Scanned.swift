// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

extension IndexMachine {
    /// Answers a request of a common shape from where it lies: no tree of JSON, no allocation.
    /// - Returns: `false` when the full decoder has to read it; nothing was done then.
    func answerScanned(
        _ bytes: Swift.Span<UInt8>, _ exchange: inout Exchange, using generator: inout some RandomNumberGenerator
    ) -> Bool {
        switch ScannedRequest.scan(bytes) {
        case .query(let text, let peer, let nonce, let wantsProof) where !(wantsProof && service.identity != nil):
            if let found = find(peer, &exchange) {
                writeAnswer(found, text, nonce, of: bytes, &exchange)
            }
        case .seedRegistration(let address, let nonce):
            guard let row = addSeed(address, &exchange, using: &generator) else {
                if exchange.result != .limited {
                    let text = nonce.flatMap { nonce in
                        bytes.withUnsafeBufferPointer { String(validating: $0[nonce], as: UTF8.self) }
                    }
                    exchange.deny(.badAddress, nonce: text)
                }
                return true
            }
            ReplyWriter.registered(row.peer, nonce: nonce, of: bytes, to: &exchange.reply)
            exchange.sendWrittenAsSeed()
            exchange.store(row)
        case .keepalive(let peer, let token, let nonce, let wantsProof) where !(wantsProof && service.identity != nil):
            let isOwner = service.proof.accepts(token: token, of: peer)
            write(renew(peer, isOwner: isOwner, &exchange), nonce, of: bytes, &exchange)
        case .noRequest: break
        default: return false
        }
        return true
    }

    /// Answers a keepalive with its token from a source that asked too much, or whose neighbours did; nothing else.
    func answerOwner(_ bytes: Swift.Span<UInt8>, _ exchange: inout Exchange) {
        exchange.result = .limited
        guard case .keepalive(let peer, let token, let nonce, false)? = ScannedRequest.scan(bytes),
            service.proof.accepts(token: token, of: peer), admitsCostly(&exchange, isProven: true)
        else { return }
        write(renew(peer, isOwner: true, &exchange), nonce, of: bytes, &exchange)
    }

    private func writeAnswer(
        _ found: Registry.Found?, _ text: Range<Int>, _ nonce: Range<Int>?, of bytes: Swift.Span<UInt8>,
        _ exchange: inout Exchange
    ) {
        // The record travels only when the request was padded enough to pay for it.
        if let record = found?.record, record.count < exchange.size {
            ReplyWriter.answer(
                found?.told, record: record.span, echoing: text, nonce: nonce, of: bytes,
                to: &exchange.reply)
            exchange.sendWritten()
            if exchange.verdict == .reply { return }
            exchange.reply.removeAll(keepingCapacity: true)
        }
        ReplyWriter.answer(found?.told, echoing: text, nonce: nonce, of: bytes, to: &exchange.reply)
        exchange.sendWrittenAsSeed()
    }

    private func write(
        _ reply: IndexReply, _ nonce: Range<Int>?, of bytes: Swift.Span<UInt8>, _ exchange: inout Exchange
    ) {
        switch reply {
        case .alive(let boot, let leaseSeconds):
            ReplyWriter.alive(boot: boot, leaseSeconds: leaseSeconds, nonce: nonce, of: bytes, to: &exchange.reply)
        case .unknown(let boot, let spreadSeconds):
            ReplyWriter.unknown(
                boot: boot, spreadSeconds: spreadSeconds, nonce: nonce, of: bytes, to: &exchange.reply)
        case .moved(let boot, let seen):
            ReplyWriter.moved(boot: boot, seen: seen, nonce: nonce, of: bytes, to: &exchange.reply)
        default: return
        }
        exchange.sendWritten()
    }
}
