// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model
import PeerEngine
import Queues
import Wire

/// `<home>/state.json`, in which versions before 0.2 kept contacts, port and sequence: read once, then set aside.
struct FormerState {
    private let path: String
    /// What it held, for the store.
    let changes: [StoreChange]

    /// `nil` when there is none.
    init?(home: String) throws(ProgramFailure) {
        path = home + "/state.json"
        guard let bytes = try contents(of: path) else { return nil }
        guard let object = try? JSONObject(parsing: bytes) else {
            complain("\(path) is damaged, so its contacts are not taken over; your identity is untouched.")
            changes = []
            return
        }
        changes = FormerState.changes(object)
    }

    /// The store has it now.
    func setAside() { rename(path, path + ".old") }

    private static func changes(_ object: JSONObject) -> [StoreChange] {
        var changes: [StoreChange] = []
        if let port = object.integer("port").flatMap({ UInt16(exactly: $0) }) { changes.append(.port(port)) }
        if let sequence = object.string("sequence").flatMap({ UInt64($0) }) { changes.append(.sequence(sequence)) }
        guard case .array(let list)? = object["contacts"] else { return changes }
        return changes
            + list.compactMap { value in
                guard case .object(let contact) = value, let peer = contact.string("peer").flatMap({ PeerID($0) })
                else { return nil }
                return .contact(
                    Contact(
                        peer: peer, name: contact.string("name"), accepted: contact.bool("accepted") ?? false,
                        blocked: contact.bool("blocked") ?? false))
            }
    }
}

/// A whole file; `nil` when there is none.
private func contents(of path: String) throws(ProgramFailure) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        guard errno != ENOENT else { return nil }
        throw ProgramFailure(.failure, "\(path) can't be read: \(systemReason(errno)).")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
    }
}
