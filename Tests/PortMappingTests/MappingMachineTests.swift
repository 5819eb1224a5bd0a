// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PortMapping
import Support
import Testing

/// What is asked of a router, and when.
@Suite struct MappingMachineTests {
    private var machine = MappingMachine(port: 40_000, times: MappingTimes(), random: .seeded(1))
    private var clock = ManualClock()
    private let outside = Endpoint(address: .v4(0x1900_7115), port: 40_000)

    private mutating func mappedByNATPMP() {
        #expect(machine.begin(clock.now) == [.ask(.natPMP, external: 40_000)])
        #expect(
            machine.heard(.mapped(outside, lease: .seconds(7200)), from: .natPMP, clock.now)
                == [.report(MappingReport(mapped: outside, by: .natPMP))])
    }

    /// Ticks at each deadline until the moment, and collects what is wanted.
    private mutating func actions(for span: Span) -> [MappingMachine.Action] {
        let end = clock.now + span
        var actions: [MappingMachine.Action] = []
        while let deadline = machine.deadline, deadline <= end {
            clock.advance(deadline.since(clock.now))
            actions += machine.tick(clock.now)
            if actions.count > 100 { break }
        }
        clock.advance(end.since(clock.now))
        return actions
    }

    @Test mutating func `NAT-PMP has a second for itself, then UPnP is asked beside it`() {
        _ = machine.begin(clock.now)
        #expect(actions(for: .milliseconds(999)) == [])
        #expect(actions(for: .milliseconds(1)) == [.ask(.upnp, external: 40_000)])
        // Whoever comes second takes his mapping back.
        _ = machine.heard(.mapped(outside, lease: nil), from: .upnp, clock.now)
        #expect(
            machine.heard(.mapped(outside, lease: .seconds(60)), from: .natPMP, clock.now)
                == [.remove(.natPMP, external: 40_000)])
    }

    @Test mutating func `UPnP is asked at once when NAT-PMP fails, and all is told when both have`() {
        _ = machine.begin(clock.now)
        #expect(machine.heard(.failed("a"), from: .natPMP, clock.now) == [.ask(.upnp, external: 40_000)])
        #expect(
            machine.heard(.failed("b"), from: .upnp, clock.now)
                == [.report(MappingReport(failures: [.natPMP: "a", .upnp: "b"]))])
        #expect(actions(for: .seconds(899)) == [])
        #expect(actions(for: .seconds(1)) == [.ask(.natPMP, external: 40_000)])
    }

    @Test mutating func `a lease is renewed at its half, and given up at its end`() {
        mappedByNATPMP()
        let checks = actions(for: .seconds(700))
        #expect(checks == [.check(.natPMP)])
        _ = machine.heard(.known(outside.address), from: .natPMP, clock.now)
        var asked: [MappingMachine.Action] = []
        while asked.isEmpty {
            asked = actions(for: .seconds(10)).filter { $0 != .check(.natPMP) }
            _ = machine.heard(.known(outside.address), from: .natPMP, clock.now)
        }
        #expect(asked == [.ask(.natPMP, external: 40_000)])
    }

    @Test mutating func `a new network makes the mapping doubtful, and it is dropped when nobody confirms it`() {
        mappedByNATPMP()
        #expect(machine.begin(clock.now) == [.ask(.natPMP, external: 40_000)])
        _ = machine.heard(.failed("no answer"), from: .natPMP, clock.now)
        _ = machine.heard(.failed("nobody"), from: .upnp, clock.now)
        let reports = actions(for: .seconds(9)).compactMap { action in
            if case .report(let report) = action { report.mapped } else { nil }
        }
        #expect(reports == [])
        #expect(machine.remains == [])
    }

    @Test mutating func `a router with a new address is told of, and one that was restarted is asked again`() {
        mappedByNATPMP()
        let new = Endpoint(address: .v4(0x1900_7116), port: 40_000)
        #expect(
            machine.heard(.known(new.address), from: .natPMP, clock.now)
                == [.report(MappingReport(mapped: new, by: .natPMP))])
        #expect(machine.heard(.restarted, from: .natPMP, clock.now) == [.ask(.natPMP, external: 40_000)])
        #expect(machine.heard(.restarted, from: .upnp, clock.now) == [])
    }

    @Test mutating func `a port that is taken is another one's, and after a few no more is asked for`() {
        _ = machine.begin(clock.now)
        var ports: [UInt16] = []
        for _ in 0..<10 {
            for case .ask(.natPMP, let port) in machine.heard(.taken, from: .natPMP, clock.now) { ports.append(port) }
        }
        #expect(ports.count == 3)
        #expect(Set(ports).count == 3 && ports.allSatisfy { $0 >= 1024 })
    }

    @Test(arguments: ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "127.0.0.1", "0.0.0.0"])
    mutating func `an address that leads nowhere from outside is refused and taken back`(address: String) throws {
        _ = machine.begin(clock.now)
        let mapped = Endpoint(address: try #require(Endpoint.address(address)), port: 40_000)
        let actions = machine.heard(.mapped(mapped, lease: nil), from: .natPMP, clock.now)
        #expect(actions.first == .remove(.natPMP, external: 40_000))
        #expect(machine.remains == [])
    }
}
