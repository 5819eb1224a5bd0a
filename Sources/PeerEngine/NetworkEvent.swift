// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What happened to this machine's own network.
public enum NetworkEvent: Equatable, Sendable {
    /// Its interfaces have these addresses from now on; loopback and link-local ones may be among them. The same ones
    /// again mean that its gateway is another one.
    case addresses([Endpoint.Address])
    /// It was asleep: whatever routers remembered of it is gone.
    case slept
    /// What came of asking the router for a port: where that leads here from outside, by which protocol, and for each
    /// protocol that was tried in vain why, one clause each.
    case mapped(Endpoint?, by: String?, failures: [String])
}
