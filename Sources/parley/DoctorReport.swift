// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// What the findings mean: lines, and how people will reach this machine.
struct DoctorReport: Equatable {
    enum Mark: String {
        case fine = "ok"
        /// Something is not there, and need not be.
        case absent = "-"
        case notable = "!"
        case broken = "x"
    }

    struct Line: Equatable {
        var mark: Mark
        var topic: String
        var text: String
        /// What would help.
        var help: String?
    }

    /// What the routers on the way make of the one UDP port (RFC 4787, §4.1).
    enum Nat: String {
        /// The servers see an address of this machine.
        case none
        /// One address and port for all destinations.
        case independent = "endpoint-independent"
        case dependent = "destination-dependent"
        /// There was one observation alone.
        case unknown
        case blocked = "UDP blocked"
        /// All servers are on this machine or network, or there is none.
        case unseen = "not seen from outside"
    }

    private(set) var lines: [Line] = []
    let nat: Nat
    let summary: String
    let advice: String?

    /// Whether nothing is broken.
    var isWell: Bool { !lines.contains { $0.mark == .broken } }

    init(_ found: DoctorFindings) {
        nat = Nat(found)
        (summary, advice) = DoctorReport.verdict(found, nat)
        lines = DoctorReport.home(found) + DoctorReport.screen(found.screen)
        lines += DoctorReport.network(found) + DoctorReport.servers(found) + DoctorReport.routers(nat, found)
        lines += DoctorReport.mappings(found) + [DoctorReport.group(found)]
    }

    /// What is printed for people.
    var text: String {
        let width = lines.map(\.topic.count).max() ?? 0
        let rows = lines.map { line in
            let topic = line.topic + String(repeating: " ", count: width - line.topic.count)
            let mark = line.mark == .fine ? "ok" : " " + line.mark.rawValue
            let help = line.help.map { "\n   " + String(repeating: " ", count: width + 2) + clean("-> \($0)") } ?? ""
            return "\(mark)  \(topic)  \(clean(line.text))\(help)"
        }
        return (rows + ["", clean(summary)] + (advice.map { [clean("What would help: \($0).")] } ?? []))
            .joined(separator: "\n") + "\n"
    }

    /// Printable, whatever strangers sent.
    func clean(_ text: String) -> String { DisplayText(text).string }
}

extension DoctorReport.Nat {
    /// By what servers see of IPv4; of IPv6 where no one sees that.
    init(_ found: DoctorFindings) {
        let outer = found.outer
        let family = found.seen.contains { !$0.isV6 } ? found.seen.filter { !$0.isV6 } : found.seen
        guard !family.isEmpty else {
            let isBlocked = outer.contains { $0.tunnel == .answers } && outer.allSatisfy { $0.roundTrip == nil }
            self = isBlocked ? .blocked : outer.contains { $0.roundTrip != nil } ? .unknown : .unseen
            return
        }
        if family.allSatisfy({ found.addresses.contains($0.address) }) {
            self = .none
        } else {
            self = family.count < 2 ? .unknown : Set(family).count == 1 ? .independent : .dependent
        }
    }
}
