// SPDX-License-Identifier: GPL-3.0-or-later
internal import CNatPMP
internal import Glibc
internal import Model

/// One question to the router by NAT-PMP (RFC 6886): its address, and then a mapping, if one is wanted. Never blocks.
final class NatPMPExchange: MappingExchange {
    enum Question {
        case address
        case map(external: UInt16, lease: UInt32)
        case remove
    }

    /// The protocol would go on for a minute; a router that has it answers in milliseconds.
    private static let limit = Span.seconds(2)

    private var library = natpmp_t()
    private let port: UInt16
    private let question: Question
    private let deadline: Instant
    private var address: Endpoint.Address?
    private(set) var epoch: (seconds: UInt32, at: Instant)?

    /// - Returns: `nil` when not even a socket is to be had.
    init?(_ question: Question, port: UInt16, router: UInt32, _ now: Instant) {
        (self.question, self.port, deadline) = (question, port, now + NatPMPExchange.limit)
        guard initnatpmp(&library, 1, router.bigEndian) == 0 else { return nil }
        if case .remove = question { askForMapping() } else { sendpublicaddressrequest(&library) }
    }

    deinit { closenatpmp(&library) }

    var descriptor: Int32 { library.s }

    func wake(_ now: Instant) -> Instant {
        var rest = timeval()
        guard getnatpmprequesttimeout(&library, &rest) == 0 else { return now }
        let microseconds = max(0, rest.tv_sec) * 1_000_000 + max(0, Int(rest.tv_usec))
        return min(deadline, now + .microseconds(microseconds))
    }

    func step(_ now: Instant) -> MappingOutcome? {
        var response = natpmpresp_t()
        let code = readnatpmpresponseorretry(&library, &response)
        switch code {
        case 0: return take(response, now)
        case NATPMP_TRYAGAIN: return now >= deadline ? .failed("no answer") : nil
        case NATPMP_ERR_NOGATEWAYSUPPORT: return .failed("the router doesn't offer it")
        case NATPMP_ERR_UNSUPPORTEDVERSION: return .failed("the router speaks another version")
        case NATPMP_ERR_NOTAUTHORIZED: return .failed("the router refuses it")
        case NATPMP_ERR_NETWORKFAILURE: return .failed("the router itself has no connection")
        case NATPMP_ERR_OUTOFRESOURCES: return .taken
        case NATPMP_ERR_WRONGPACKETSOURCE: return now >= deadline ? .failed("no answer") : nil
        default: return .failed("the router answers nonsense (error \(code))")
        }
    }

    private func take(_ response: natpmpresp_t, _ now: Instant) -> MappingOutcome? {
        epoch = (response.epoch, now)
        guard now < deadline else { return .failed("no answer") }
        if Int32(response.type) == NATPMP_RESPTYPE_PUBLICADDRESS, address == nil {
            let own = Endpoint.Address.v4(UInt32(bigEndian: response.pnu.publicaddress.addr.s_addr))
            guard own != .v4(0) else { return .failed("the router itself has no connection") }
            address = own
            if case .address = question { return .known(own) }
            askForMapping()
            return nil
        }
        guard Int32(response.type) == NATPMP_RESPTYPE_UDPPORTMAPPING else {
            askForMapping()  // an answer to what was asked before
            return nil
        }
        let mapping = response.pnu.newportmapping
        guard mapping.privateport == port else { return .failed("the router answers nonsense") }
        if case .remove = question { return .failed("removed") }
        guard let address, mapping.mappedpublicport != 0, mapping.lifetime != 0 else {
            return .failed("the router gave no port")
        }
        return .mapped(
            Endpoint(address: address, port: mapping.mappedpublicport), lease: .seconds(Int(mapping.lifetime)))
    }

    private func askForMapping() {
        let (external, lease): (UInt16, UInt32) =
            if case .map(let external, let lease) = question { (external, lease) } else { (0, 0) }
        sendnewportmappingrequest(&library, NATPMP_PROTOCOL_UDP, port, external, lease)
    }
}
