// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Scripting
import Wire

/// What reads bytes of strangers. Whatever the bytes, it returns; and what it accepts means the same once it was
/// written and read again.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case json
    case indexRequest = "index-request"
    /// The scanner and the reply writer against the full decoder and encoder.
    case scanner
    case indexReply = "index-reply"
    case peerMessage = "peer-message"
    case record
    case pipeCommand = "pipe-command"
    case invite
    case sessionFrame = "session-frame"
    /// Bytes are what happens to a client: in any order, with a disk that takes its time.
    case client
    /// Bytes are a datagram to an index server.
    case indexDatagram = "index-datagram"
    case settingsFile = "settings-file"

    /// Feeds it.
    /// - Returns: the promise that it broke; `nil` when it kept them all.
    public func fault(in bytes: [UInt8]) -> String? {
        switch self {
        case .json: stability(of: { try? JSONValue(parsing: $0) }, writing: json, bytes)
        case .indexRequest: stability(of: { try? IndexRequest(parsing: $0) }, writing: { $0.encoded() }, bytes)
        case .scanner: ScannerFuzz(bytes).fault()
        case .indexReply: stability(of: reply, writing: { $0.reply.encoded(nonce: $0.nonce) }, bytes)
        case .peerMessage:
            // A carriage return at the end can't be written on the seed's wire.
            stability(of: message, writing: { $0.text.last == "\r" ? nil : try? $0.encoded() }, bytes)
        case .record: record(bytes)
        case .pipeCommand:
            // Written by scripts alone: it must return, and there is nothing to write.
            stability(of: { try? PipeCommand(parsing: $0) }, writing: { _ in nil }, bytes)
        case .invite: stability(of: invite, writing: { Array($0.text.utf8) }, bytes)
        case .sessionFrame: stability(of: frame, writing: { $0.encoded() }, bytes)
        case .client:
            if var play = ClientFuzz(bytes) { play.play() } else { "no client" }
        case .indexDatagram: IndexFuzz.shared.fault(in: bytes)
        case .settingsFile: SettingsFuzz(bytes: bytes).fault()
        }
    }

    /// Reads, writes and reads again; a writer gives `nil` for what is too long to be written.
    private func stability<Value: Equatable>(
        of read: ([UInt8]) -> Value?, writing write: (Value) -> [UInt8]?, _ bytes: [UInt8]
    ) -> String? {
        guard let value = read(bytes), let written = write(value) else { return nil }
        let again = read(written)
        return again == value ? nil : "\(value) came back as \(String(describing: again))"
    }

    /// What no double holds is read as infinite, so that a message with such a time is still read; JSON can't say it.
    private func json(_ value: JSONValue) -> [UInt8]? { isFinite(value) ? value.encoded() : nil }

    private func isFinite(_ value: JSONValue) -> Bool {
        switch value {
        case .number(let number): number.isFinite
        case .array(let elements): elements.allSatisfy(isFinite)
        case .object(let object): object.members.allSatisfy { isFinite($0.value) }
        default: true
        }
    }

    private struct Reply: Equatable {
        let reply: IndexReply
        let nonce: String?
    }

    private func reply(_ bytes: [UInt8]) -> Reply? {
        (try? IndexReply.parse(bytes)).map { Reply(reply: $0.reply, nonce: $0.nonce) }
    }

    private func message(_ bytes: [UInt8]) -> PeerMessage? {
        guard let object = try? JSONObject(parsing: bytes) else { return nil }
        return try? PeerMessage(object)
    }

    private func invite(_ bytes: [UInt8]) -> Invite? { try? Invite(String(decoding: bytes, as: UTF8.self)) }

    private func frame(_ bytes: [UInt8]) -> SessionFrame? {
        if case .frame(let frame) = SessionFrame.read(bytes) { frame } else { nil }
    }

    /// Nothing but a genuine record is accepted, and the corpus has the only ones that there are.
    private func record(_ bytes: [UInt8]) -> String? {
        guard let record = try? PeerRecord(verifying: bytes) else { return nil }
        let isWhole = bytes.count <= 384 && Array(bytes[2..<34]) == record.key.octets
        return isWhole && record.candidates.count <= 8 ? nil : "accepted \(record)"
    }
}
