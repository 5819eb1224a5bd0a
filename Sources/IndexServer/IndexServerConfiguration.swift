// SPDX-License-Identifier: GPL-3.0-or-later
public import IndexEngine
internal import Model
public import Network
public import Relaying

/// What an operator decides about a server.
public struct IndexServerConfiguration: Sendable {
    public var listen: ListenAddress
    /// Path of the control socket; `nil` for none.
    public var control: String?
    /// Where metrics are served over HTTP, 127.0.0.1 when it names no address; `nil` for nowhere.
    public var metrics: ListenAddress?
    public var version: String
    /// Who it is to those who pin its key; `nil` for nobody.
    public var identity: ServerIdentity?
    public var limits: IndexLimits
    /// How much is passed on between peers that call each other; `nil` for nothing.
    public var relay: RelayLimits?
    /// A port at the same address that only tells who asks where it is seen; 0 for any, `nil` for none.
    public var secondPort: UInt16?
    /// Loops that serve, 1 to 64, each with a socket and a thread of its own; 0 for as many as there are processors.
    public var loops: Int
    /// Where registrations outlive the process.
    public var store: any IndexStore
    /// What the operator should hear of the time before, as of a store that was damaged: whole sentences.
    public var notices: [String]

    public init(
        listen: ListenAddress, control: String?, metrics: ListenAddress? = nil, version: String,
        identity: ServerIdentity? = nil, limits: IndexLimits = IndexLimits(),
        relay: RelayLimits? = nil, secondPort: UInt16? = 0, loops: Int = 0,
        store: any IndexStore = VolatileStore(), notices: [String] = []
    ) {
        self.listen = listen
        self.control = control
        self.metrics = metrics
        self.version = version
        self.identity = identity
        self.limits = limits
        self.relay = relay
        self.secondPort = secondPort
        self.loops = loops
        self.store = store
        self.notices = notices
    }
}
