// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model
import PeerEngine
import Queues
import Wire

/// What outlives a run besides the identity: the port, the sequence of the last record, the contacts.
struct FormerState: Equatable, Sendable {
    var port: UInt16?
    var sequence: UInt64 = 0
    var contacts: [Contact] = []

    var json: JSONObject {
        var object: JSONObject = ["version": 1, "sequence": .string("\(sequence)")]
        object["port"] = port.map { .integer(Int64($0)) }
        object["contacts"] = .array(
            contacts.map { contact in
                .object([
                    "peer": .string("\(contact.peer)"), "name": contact.name.map { .string($0) } ?? .null,
                    "accepted": .bool(contact.accepted), "blocked": .bool(contact.blocked),
                    "verified": .bool(contact.verified),
                ])
            })
        return object
    }

    init() {}

    init(json object: JSONObject) {
        port = object.integer("port").flatMap { UInt16(exactly: $0) }
        sequence = object.string("sequence").flatMap { UInt64($0) } ?? 0
        guard case .array(let list)? = object["contacts"] else { return }
        contacts = list.compactMap { value in
            guard case .object(let contact) = value, let peer = contact.string("peer").flatMap({ PeerID($0) }) else {
                return nil
            }
            return Contact(
                peer: peer, name: contact.string("name"), accepted: contact.bool("accepted") ?? false,
                blocked: contact.bool("blocked") ?? false, verified: contact.bool("verified") ?? false)
        }
    }
}

/// Writes the saved state behind the client's back, so that no decision waits for a disk.
final class StateFile: RunStore, Sendable {
    private struct Content {
        var state: FormerState
        var isDirty = false
    }

    private let path: String
    private let content: Lock<Content>
    private let alarm = Alarm()
    private let report: @Sendable (String) async -> Void

    /// Reads the state. A damaged file is set aside and told; the identity is not in it.
    init(path: String, report: @escaping @Sendable (String) async -> Void) throws(ProgramFailure) {
        self.path = path
        self.report = report
        content = Lock(Content(state: try StateFile.read(path)))
    }

    var state: FormerState { content.withLock { $0.state } }

    func save(contacts: [Contact]) { change { $0.contacts = contacts } }
    func save(sequence: UInt64) { change { $0.sequence = max($0.sequence, sequence) } }
    func save(port: UInt16) { change { $0.port = port } }

    private func change(_ body: (inout FormerState) -> Void) {
        content.withLock { content in
            body(&content.state)
            content.isDirty = true
        }
        alarm.ring()
    }

    /// Writes whenever something changed, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await alarm.sleep(for: nil)
            if let failure = flush() { await report(failure) }
        }
    }

    /// Writes now if something changed.
    /// - Returns: a sentence when it could not; the next change tries again.
    func flush() -> String? {
        let state = content.withLock { content -> FormerState? in
            defer { content.isDirty = false }
            return content.isDirty ? content.state : nil
        }
        guard let state else { return nil }
        guard let code = replaceFile(path, state.json.encoded(.invisible)) else { return nil }
        content.withLock { $0.isDirty = true }
        return
            "Contacts could not be saved in \(path): \(String(cString: strerror(code))). Make room and change one again."
    }

    private static func read(_ path: String) throws(ProgramFailure) -> FormerState {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno != ENOENT else { return FormerState() }
            throw ProgramFailure(.failure, "\(path) can't be read: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        if let object = try? JSONObject(parsing: bytes) { return FormerState(json: object) }
        let aside = path + ".damaged"
        rename(path, aside)
        complain("\(path) was damaged and is now \(aside); the contacts start empty, your identity is untouched.")
        return FormerState()
    }
}

/// Replaces a file so that a crash leaves the old or the new content, never half of it.
/// - Returns: the error number when it failed.
private func replaceFile(_ path: String, _ bytes: [UInt8]) -> Int32? {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { return errno }
    let isWritten = writeAll(bytes, to: descriptor) && fsync(descriptor) == 0
    let code = errno
    close(descriptor)
    guard isWritten else {
        unlink(temporary)
        return code
    }
    return rename(temporary, path) == 0 ? nil : errno
}
