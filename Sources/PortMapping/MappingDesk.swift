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
    private let upnpLimit: Span
    private let routers: @Sendable () -> Routers
    private let secret: MappingSecret
    private var waiting: [(by: MappingProtocol, question: Question)] = []
    private var open: [MappingProtocol: (exchange: any MappingExchange, question: Question)] = [:]
    private var refused: [(MappingProtocol, MappingOutcome)] = []
    /// Where the router's description lies.
    private var url: [CChar] = []
    private var lives: [MappingProtocol: RouterLife] = [:]
    /// What PCP gave last, to wish for again.
    private var given: [MappingProtocol: Endpoint.Address] = [:]

    init(
        port: UInt16, times: MappingTimes, routers: @escaping @Sendable () -> Routers, secret: @escaping MappingSecret
    ) {
        (self.port, self.routers, self.secret) = (port, routers, secret)
        (lease, upnpLimit) = (UInt32(clamping: times.lease.wholeSeconds), times.upnp)
    }

    var isBusy: Bool { !open.isEmpty || !waiting.isEmpty || !refused.isEmpty }

    func ask(_ by: MappingProtocol, _ question: Question) {
        if waiting.count(where: { $0.by == by }) >= MappingDesk.waitingLimit {
            waiting.removeAll { $0.by == by }
        }
        waiting.append((by, question))
        startNext()
    }

    /// Questions that wait or are open are of no interest any more.
    func drop() { (waiting, open, refused) = ([], [:], []) }

    /// It may be another router now.
    func forget() {
        drop()
        (url, lives, given) = ([], [:], [:])
    }

    /// Sleeps until there is an answer, somebody wakes the thread, or the moment has come.
    func wait(_ wake: Wake?, until deadline: Instant?) -> [(MappingProtocol, MappingOutcome)] {
        let start = now()
        let exchanges = open.values.map(\.exchange)
        let wakes = [deadline, refused.isEmpty ? nil : start].compactMap { $0 } + exchanges.map { $0.wake(start) }
        var descriptors = ([wake?.descriptor ?? -1] + exchanges.map(\.descriptor)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout(until: wakes.min()))
        wake?.clear()
        return outcomes(now())
    }

    private func outcomes(_ now: Instant) -> [(MappingProtocol, MappingOutcome)] {
        defer { startNext() }
        var outcomes = refused
        refused = []
        for by in MappingProtocol.allCases {
            guard let (exchange, question) = open[by], let outcome = exchange.step(now) else { continue }
            open[by] = nil
            if let upnp = exchange as? UPnPExchange { url = upnp.url }
            if case .mapped(let endpoint, _) = outcome { given[by] = endpoint.address }
            let isNew = hasRestarted(by, exchange.epoch)
            switch question {
            case .remove: break
            case .look where isNew: outcomes.append((by, .restarted))
            case .look, .map: outcomes.append((by, outcome))
            }
        }
        return outcomes
    }

    private func hasRestarted(_ by: MappingProtocol, _ epoch: (seconds: UInt32, at: Instant)?) -> Bool {
        guard let epoch else { return false }
        let life = RouterLife(seconds: epoch.seconds, at: epoch.at)
        defer { lives[by] = life }
        return lives[by]?.isOver(life, by: by) ?? false
    }

    private func startNext() {
        let now = now()
        for by in MappingProtocol.allCases where open[by] == nil {
            guard let index = waiting.firstIndex(where: { $0.by == by }) else { continue }
            let question = waiting.remove(at: index).question
            switch exchange(by, question, now) {
            case .success(let exchange): open[by] = (exchange, question)
            case .failure(let reason): refused.append((by, .failed(reason.text)))
            }
        }
    }

    /// Why nothing can be asked: one clause.
    private struct Refusal: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private func exchange(
        _ by: MappingProtocol, _ question: Question, _ now: Instant
    ) -> Result<any MappingExchange, Refusal> {
        let routers = routers()
        guard let router = by == .firewall ? routers.v6 : routers.v4 else {
            return .failure(Refusal("there is no router"))
        }
        switch by {
        case .pcp, .firewall:
            let exchange = PCPExchange(
                pcp(question, by), port: port, nonce: PCP.Nonce(secret("\(by.rawValue) \(router)")), router: router,
                zone: routers.zone, now)
            return exchange.map { .success($0) } ?? .failure(Refusal("the router can't be asked"))
        case .natPMP:
            guard case .v4(let address) = router else { return .failure(Refusal("there is no router")) }
            let exchange = NatPMPExchange(natPMP(question), port: port, router: address, now)
            return exchange.map { .success($0) } ?? .failure(Refusal("the router can't be asked"))
        case .upnp:
            let (command, external) = upnp(question)
            let exchange = UPnPExchange(
                command, port: port, external: external, lease: lease, url: url, limit: upnpLimit, now)
            return exchange.map { .success($0) } ?? .failure(Refusal("the system gives no process for it"))
        }
    }

    private func pcp(_ question: Question, _ by: MappingProtocol) -> PCPExchange.Question {
        switch question {
        case .look: .announce
        case .map(let external):
            .map(
                wish: Endpoint(address: given[by] ?? (by == .pcp ? .v4(0) : .v6(0, 0)), port: external), lease: lease)
        case .remove: .remove
        }
    }

    private func natPMP(_ question: Question) -> NatPMPExchange.Question {
        switch question {
        case .look: .address
        case .map(let external): .map(external: external, lease: lease)
        case .remove: .remove
        }
    }

    private func upnp(_ question: Question) -> (cm_command, external: UInt16) {
        switch question {
        case .look: (cm_look, 0)
        case .map(let external): (cm_map, external)
        case .remove(let external): (cm_unmap, external)
        }
    }
}

/// Milliseconds for poll(2), rounded up; -1 for ever.
func timeout(until moment: Instant?) -> Int32 {
    guard let moment else { return -1 }
    return Int32(clamping: moment.since(now()).nanoseconds / 1_000_000 + 1)
}
