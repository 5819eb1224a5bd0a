// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// What happens to this machine's own network.
extension ClientMachine {
    mutating func receive(_ event: NetworkEvent) {
        switch event {
        case .addresses(let addresses):
            order(.networkChanged(addresses: addresses))
        case .slept:
            order(.networkChanged(addresses: reachability.addresses))
        case .mapped(let endpoint, let by, let failures):
            reachability.mapped = endpoint
            reachability.mappedBy = by
            reachability.mappingFailures = failures
            tell(.reachability(reachability))
        }
    }

    mutating func receive(_ event: TunnelEvent) {}
}
