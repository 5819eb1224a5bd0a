// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Identity
import Model
import Support

/// Peers that register at one index server over and over, and the ledger of what it promised them.
///
/// All on the caller's thread: what the ledger holds was acknowledged, and read, before whatever the caller does next.
/// Plain peers come once each. Keyed ones come again and again, each time from another of a few sockets with a newer
/// record, so that a row that went back to an older one is found as well.
final class Crowd {
    /// One registration on its way.
    private struct Attempt {
        /// Which of the keyed peers it is; `nil` for a plain one.
        var member: Int?
        var address: String
        var socket: DatagramSocket
        /// All of the request but its end, to which a cookie may be added.
        var request: String
        var began: Instant
        var hasCookie = false
    }

    private struct Member {
        let identity: Identity
        var sequence: UInt64
        var isBusy = false
    }

    /// Requests on their way at a time.
    private let window: Int
    private let port: UInt16
    private var chance: SplitMix64
    private let sockets: [DatagramSocket]
    private var members: [Member]
    private var attempts: [String: Attempt] = [:]
    private var number = 0

    /// UUIDs of registrations that were acknowledged.
    private(set) var promised: Set<String> = []
    /// The addresses at which a promised peer may be: the acknowledged one, and later ones that may have been stored.
    private var possible: [String: Set<String>] = [:]
    /// Acknowledgements of either kind.
    private(set) var plain = 0, keyed = 0
    /// Errors that were told, by their reason.
    private(set) var refusals: [String: Int] = [:]

    init(port: UInt16, keyed: Int = 32, window: Int = 24, seed: UInt64) throws {
        (self.port, self.window) = (port, window)
        chance = SplitMix64(seed: seed)
        sockets = try (0..<4).map { _ in try DatagramSocket() }
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        members = (0..<keyed).map { _ in Member(identity: Identity(), sequence: now) }
    }

    // MARK: Registering

    /// Registers for so long.
    func work(for span: Span) throws {
        let end = Instant.now + span
        while .now < end { try turn() }
    }

    /// Registers until something holds.
    /// - Returns: false when it does not in time.
    func work(within limit: Span = .seconds(30), until condition: () throws -> Bool) throws -> Bool {
        let deadline = Instant.now + limit
        while try !condition() {
            guard .now < deadline else { return false }
            try turn()
        }
        return true
    }

    /// Takes note of the answers that lie there, and gives up what has none: the server is gone.
    func settle() throws {
        try read(wait: .milliseconds(1))
        abandon { _ in true }
    }

    /// Forgets what is on its way and passes over the answers that lie there: nobody may rely on them.
    func hangUp() throws {
        abandon { _ in true }
        for socket in sockets { while try socket.receive(.zero) != nil {} }
    }

    private func turn() throws {
        let now = Instant.now
        abandon { now.since($0.began) > .seconds(1) }
        while attempts.count < window { try begin() }
        try read(wait: .milliseconds(1))
    }

    private func abandon(_ isMeant: (Attempt) -> Bool) {
        for (nonce, attempt) in attempts where isMeant(attempt) { end(nonce) }
    }

    private func end(_ nonce: String) {
        if let member = attempts.removeValue(forKey: nonce)?.member { members[member].isBusy = false }
    }

    private func begin() throws {
        number += 1
        let idle = members.indices.filter { !members[$0].isBusy }
        let member = number % 3 == 0 ? idle.randomElement(using: &chance) : nil
        let socket = sockets.randomElement(using: &chance) ?? sockets[0]
        let address = member == nil ? "192.0.2.\(number % 250):\(1024 + number % 60_000)" : "127.0.0.1:\(socket.port)"
        var request = #"{"req_type":"registration","addr":"\#(address)","nonce":"n\#(number)""#
        if let member {
            members[member].isBusy = true
            members[member].sequence += 1
            let (identity, here) = (members[member].identity, Endpoint(address))
            let candidates = here.map { [Candidate(.reflexive, $0)] } ?? []
            let record = try PeerRecord(
                key: identity.key, sequence: members[member].sequence, candidates: candidates
            ).signed(by: identity)
            request += #","uuid":"\#(identity.peer)","record":"\#(Base64URL.encode(record))""#
        }
        attempts["n\(number)"] = Attempt(
            member: member, address: address, socket: socket, request: request, began: .now)
        try socket.send(request + "}", to: port)
    }

    private func read(wait: Span) throws {
        for (index, socket) in sockets.enumerated() {
            while let answer = try socket.receive(index == 0 ? wait : .zero) {
                try take(try JSON(String(decoding: answer, as: UTF8.self)))
            }
        }
    }

    private func take(_ answer: JSON) throws {
        guard let nonce = answer["nonce"]?.string, var attempt = attempts[nonce] else { return }
        switch (answer["status"]?.string, attempt.member) {
        case ("OK", let member):
            guard let uuid = answer["uuid"]?.string else { return }
            promised.insert(uuid)
            possible[uuid] = [attempt.address]
            if member == nil { plain += 1 } else { keyed += 1 }
            end(nonce)
        case ("cookie", let member?) where !attempt.hasCookie:
            guard let cookie = answer["cookie"]?.string else { return }
            attempt.hasCookie = true
            attempts[nonce] = attempt
            // From here on it may be stored, acknowledged or not.
            possible["\(members[member].identity.peer)", default: []].insert(attempt.address)
            try attempt.socket.send(attempt.request + #","cookie":"\#(cookie)"}"#, to: port)
        default:
            refusals[answer["reason"]?.string ?? answer.text, default: 0] += 1
            end(nonce)
        }
    }

    // MARK: Asking

    /// Asks for everybody who was promised a place, again and again while there is no answer, and says what is not as
    /// it must be, at most ten sentences: nobody may be unknown or elsewhere, not even while the server still loads.
    /// - Parameter limit: how long the server may keep silent.
    func faults(within limit: Span = .seconds(10)) throws -> [String] {
        let socket = try DatagramSocket()
        var deadline = Instant.now + limit
        var (left, faults) = (Array(promised), [String]())
        while !left.isEmpty, faults.count < 10 {
            guard .now < deadline else {
                return faults + ["\(left.count) of \(promised.count) got no answer, such as \(left[0])"]
            }
            let asked = left.suffix(100)
            left.removeLast(asked.count)
            for uuid in asked { try socket.send(#"{"req_type":"query","queried_uuid":"\#(uuid)"}"#, to: port) }
            var waiting = Set(asked)
            while !waiting.isEmpty, let answer = try socket.receive(.milliseconds(50)) {
                let text = String(decoding: answer, as: UTF8.self)
                let uuid = String(text.dropLast(2).suffix(36))
                if waiting.remove(uuid) != nil { deadline = .now + limit }
                let isRight = (possible[uuid] ?? []).contains { text == #"{"address":"\#($0)","uuid":"\#(uuid)"}"# }
                if !isRight { faults.append("\(text), not at \(possible[uuid] ?? [])") }
            }
            left += waiting
        }
        return Array(faults.prefix(10))
    }
}
