// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@testable import PeerEngine

/// What kind of router there is, by where others see one port.
@Suite struct MappingJudgeTests {
    @Test(
        arguments: [
            // Nobody has looked, or one alone.
            ([], [], [], .unknown), (["10.0.0.2"], [], ["25.0.0.1:1"], .unknown),
            (["10.0.0.2"], ["25.0.0.1:1"], [], .unknown),
            // At an address of ours, or on this machine.
            (["25.0.0.1"], ["25.0.0.1:1"], [], .none), ([], ["127.0.0.1:1"], [], .none),
            (["25.0.0.1", "2a00::1"], ["25.0.0.1:1", "[2a00::1]:1"], [], .none),
            (["25.0.0.1"], ["127.0.0.1:1", "25.0.0.1:1"], [], .none),
            // The same port for two; a peer's word counts like a server's.
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.1:1"], [], .endpointIndependent),
            (["10.0.0.2"], ["25.0.0.1:1"], ["25.0.0.1:1"], .endpointIndependent),
            // Another port for one of them.
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.1:2"], [], .destinationDependent),
            (["10.0.0.2"], ["25.0.0.1:1"], ["25.0.0.1:2"], .destinationDependent),
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.1:1"], ["25.0.0.1:2"], .destinationDependent),
            // Another address of one family; of the other one it says nothing.
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.2:1"], [], .destinationDependent),
            (["10.0.0.2"], ["25.0.0.1:1", "[2a00::1]:2"], [], .unknown),
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.1:1", "[2a00::1]:2"], [], .endpointIndependent),
            // What a peer sees on the same network, where no router is between, or makes up.
            (["10.0.0.2"], ["25.0.0.1:1"], ["10.0.0.2:9"], .unknown),
            (["10.0.0.2"], ["25.0.0.1:1", "25.0.0.1:1"], ["66.0.0.1:9", "66.0.0.1:8"], .endpointIndependent),
            // One family of ours, the other through a router.
            (["2a00::1"], ["[2a00::1]:1", "25.0.0.1:5"], [], .unknown),
        ] as [([String], [String], [String], Reachability.Mapping)])
    func `those who look tell the kind`(
        own: [String], servers: [String], peers: [String], mapping: Reachability.Mapping
    ) {
        #expect(
            Reachability.Mapping.judge(
                own: own.compactMap { Endpoint.address($0) }, servers: servers.compactMap { Endpoint($0) },
                peers: peers.compactMap { Endpoint($0) }) == mapping)
    }
}
