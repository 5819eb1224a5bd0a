// SPDX-License-Identifier: GPL-3.0-or-later
internal import CMiniUPnPc
internal import Glibc
internal import Model

/// Asks the router, one question of each protocol at a time, and waits for what it says. On one thread.
final class MappingDesk {
    enum Question: Equatable {
        case look
        case map(UInt16)
        case remove(UInt16)
    }

    /// Questions of one protocol that wait for their turn; further ones replace the last.
    private static let waitingLimit = 4

    private let port: UInt16
    private let lease: UInt32
    private let router: @Sendable () -> Endpoint.Address?
    private var waiting: [(by: MappingProtocol, question: Question)] = []
    private var natPMP: (exchange: NatPMPExchange, question: Question)?
    private var upnp: (exchange: UPnPExchange, question: Question)?
    private var refused: [(MappingProtocol, MappingOutcome)] = []
    /// Where the router's description lies.
    private var url: [CChar] = []
    private var epoch: (seconds: UInt32, at: Instant)?

    init(port: UInt16, lease: UInt32, router: @escaping @Sendable () -> Endpoint.Address?) {
        (self.port, self.lease, self.router) = (port, lease, router)
    }

    var isBusy: Bool { natPMP != nil || upnp != nil || !waiting.isEmpty || !refused.isEmpty }

    func ask(_ by: MappingProtocol, _ question: Question) {
        if waiting.count(where: { $0.by == by }) >= MappingDesk.waitingLimit {
            waiting.removeAll { $0.by == by }
        }
        waiting.append((by, question))
        startNext()
    }

    /// Questions that wait or are open are of no interest any more.
    func drop() { (waiting, natPMP, upnp, refused) = ([], nil, nil, []) }

    /// It may be another router now.
    func forget() {
        drop()
        (url, epoch) = ([], nil)
    }

    /// Sleeps until there is an answer, somebody wakes the thread, or the moment has come.
    func wait(_ wake: Wake?, until deadline: Instant?) -> [(MappingProtocol, MappingOutcome)] {
        let start = now()
        let wakes = [
            deadline, natPMP?.exchange.wake(start), upnp?.exchange.deadline, refused.isEmpty ? nil : start,
        ].compactMap { $0 }
        var descriptors = [wake?.descriptor, natPMP?.exchange.descriptor, upnp?.exchange.descriptor].map {
            pollfd(fd: $0 ?? -1, events: Int16(POLLIN), revents: 0)
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout(until: wakes.min()))
        wake?.clear()
        return outcomes(now())
    }

    private func outcomes(_ now: Instant) -> [(MappingProtocol, MappingOutcome)] {
        defer { startNext() }
        var outcomes = refused
        refused = []
        if let (exchange, question) = natPMP, let outcome = exchange.step(now) {
            natPMP = nil
            let isNew = hasRestarted(exchange.epoch)
            switch question {
            case .remove: break
            case .look where isNew: outcomes.append((.natPMP, .restarted))
            case .look, .map: outcomes.append((.natPMP, outcome))
            }
        }
        if let (exchange, question) = upnp, let outcome = exchange.step(now) {
            url = exchange.url
            upnp = nil
            if case .remove = question {} else { outcomes.append((.upnp, outcome)) }
        }
        return outcomes
    }

    /// RFC 6886, §3.6: the router's clock must have gone on by seven eighths of ours, less two seconds.
    private func hasRestarted(_ new: (seconds: UInt32, at: Instant)?) -> Bool {
        guard let new else { return false }
        defer { epoch = new }
        guard let epoch else { return false }
        return UInt64(new.seconds) + 2 < UInt64(epoch.seconds) + UInt64(new.at.since(epoch.at).wholeSeconds) * 7 / 8
    }

    private func startNext() {
        let now = now()
        if natPMP == nil, let index = waiting.firstIndex(where: { $0.by == .natPMP }) {
            start(natPMP: waiting.remove(at: index).question, now)
        }
        if upnp == nil, let index = waiting.firstIndex(where: { $0.by == .upnp }) {
            start(upnp: waiting.remove(at: index).question, now)
        }
    }

    private func start(natPMP question: Question, _ now: Instant) {
        guard case .v4(let address)? = router() else {
            return refused.append((.natPMP, .failed("there is no router")))
        }
        let asked: NatPMPExchange.Question =
            switch question {
            case .look: .address
            case .map(let external): .map(external: external, lease: lease)
            case .remove: .remove
            }
        natPMP = NatPMPExchange(asked, port: port, router: address, now).map { ($0, question) }
        if natPMP == nil { refused.append((.natPMP, .failed("the router can't be asked"))) }
    }

    private func start(upnp question: Question, _ now: Instant) {
        guard router() != nil else { return refused.append((.upnp, .failed("there is no router"))) }
        let (command, external): (cm_command, UInt16) =
            switch question {
            case .look: (cm_look, 0)
            case .map(let external): (cm_map, external)
            case .remove(let external): (cm_unmap, external)
            }
        let exchange = UPnPExchange(command, port: port, external: external, lease: lease, url: url, now)
        upnp = exchange.map { ($0, question) }
        if upnp == nil { refused.append((.upnp, .failed("the system gives no process for it"))) }
    }
}

/// Milliseconds for poll(2), rounded up; -1 for ever.
func timeout(until moment: Instant?) -> Int32 {
    guard let moment else { return -1 }
    return Int32(clamping: moment.since(now()).nanoseconds / 1_000_000 + 1)
}
