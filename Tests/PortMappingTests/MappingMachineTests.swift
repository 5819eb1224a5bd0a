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

    private mutating func mapped(by: MappingProtocol) {
        #expect(machine.begin(clock.now) == [.ask(.pcp, external: 40_000)])
        if by == .natPMP {
            #expect(machine.heard(.failed("a"), from: .pcp, clock.now) == [.ask(.natPMP, external: 40_000)])
        }
        #expect(
            machine.heard(.mapped(outside, lease: .seconds(7200)), from: by, clock.now)
                == [.report(MappingReport(mapped: outside, by: by, failures: by == .natPMP ? [.pcp: "a"] : [:]))])
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

    @Test mutating func `PCP has a second for itself, then UPnP is asked beside it`() {
        _ = machine.begin(clock.now)
        #expect(actions(for: .milliseconds(999)) == [])
        #expect(actions(for: .milliseconds(1)) == [.ask(.upnp, external: 40_000)])
        // Whoever comes second takes his mapping back, if it is another one.
        _ = machine.heard(.mapped(outside, lease: nil), from: .upnp, clock.now)
        #expect(machine.heard(.mapped(outside, lease: .seconds(60)), from: .pcp, clock.now) == [])
        let other = Endpoint(address: outside.address, port: 40_001)
        #expect(
            machine.heard(.mapped(other, lease: .seconds(60)), from: .pcp, clock.now)
                == [.remove(.pcp, external: 40_001)])
        #expect(machine.remains == [.remove(.upnp, external: 40_000)])
    }

    @Test mutating func `NAT-PMP is asked when PCP fails, UPnP when that fails, and all is told when all have`() {
        _ = machine.begin(clock.now)
        #expect(machine.heard(.failed("a"), from: .pcp, clock.now) == [.ask(.natPMP, external: 40_000)])
        #expect(machine.heard(.failed("b"), from: .natPMP, clock.now) == [.ask(.upnp, external: 40_000)])
        #expect(
            machine.heard(.failed("c"), from: .upnp, clock.now)
                == [.report(MappingReport(failures: [.pcp: "a", .natPMP: "b", .upnp: "c"]))])
        #expect(actions(for: .seconds(899)) == [])
        #expect(actions(for: .seconds(1)) == [.ask(.pcp, external: 40_000)])
    }

    @Test mutating func `a slow PCP has UPnP beside it, and NAT-PMP after it all the same`() {
        _ = machine.begin(clock.now)
        #expect(actions(for: .seconds(2)) == [.ask(.upnp, external: 40_000)])
        #expect(machine.heard(.failed("b"), from: .upnp, clock.now) == [])
        #expect(machine.heard(.failed("a"), from: .pcp, clock.now) == [.ask(.natPMP, external: 40_000)])
        #expect(
            machine.heard(.failed("c"), from: .natPMP, clock.now)
                == [.report(MappingReport(failures: [.pcp: "a", .natPMP: "c", .upnp: "b"]))])
    }

    @Test mutating func `a router with nothing to add to a mapping is not asked for one by another protocol`() {
        mapped(by: .pcp)
        #expect(machine.heard(.failed("a"), from: .pcp, clock.now) == [.report(report(.pcp, [.pcp: "a"]))])
        #expect(actions(for: .seconds(20)) == [.ask(.pcp, external: 40_000)])
    }

    @Test mutating func `the next network's router gives by another protocol, and what UPnP left is taken back`() {
        _ = machine.begin(clock.now)
        _ = machine.heard(.failed("a"), from: .pcp, clock.now)
        _ = machine.heard(.failed("b"), from: .natPMP, clock.now)
        _ = machine.heard(.mapped(outside, lease: nil), from: .upnp, clock.now)
        _ = machine.begin(clock.now)
        let new = Endpoint(address: outside.address, port: 40_009)
        #expect(
            machine.heard(.mapped(new, lease: .seconds(60)), from: .pcp, clock.now)
                == [.remove(.upnp, external: 40_000), .report(MappingReport(mapped: new, by: .pcp))])
    }

    @Test func `the firewall of IPv6 is asked for by PCP alone, and what it opens is of IPv6`() throws {
        var machine = MappingMachine(port: 40_000, ways: [.firewall], times: MappingTimes(), random: .seeded(1))
        #expect(machine.begin(clock.now) == [.ask(.firewall, external: 40_000)])
        #expect(machine.deadline == nil)
        #expect(machine.heard(.failed("a"), from: .firewall, clock.now).count == 1)
        #expect(machine.deadline == clock.now + .seconds(900))
        let own = Endpoint(address: .v6(0x2A00_0001_0002_0003, 2), port: 40_000)
        _ = machine.heard(.mapped(own, lease: .seconds(120)), from: .firewall, clock.now)
        #expect(machine.deadline == clock.now + .seconds(60))
        #expect(machine.remains == [.remove(.firewall, external: 40_000)])
        #expect(
            machine.heard(.mapped(outside, lease: nil), from: .firewall, clock.now).first
                == .remove(.firewall, external: 40_000))
    }

    private func report(_ by: MappingProtocol, _ failures: [MappingProtocol: String] = [:]) -> MappingReport {
        MappingReport(mapped: outside, by: by, failures: failures)
    }

    @Test(arguments: [MappingProtocol.pcp, .natPMP])
    mutating func `a lease is renewed at its half, and given up at its end`(by: MappingProtocol) {
        mapped(by: by)
        let address = by == .natPMP ? outside.address : nil
        #expect(actions(for: .seconds(700)) == [.check(by)])
        #expect(machine.heard(.known(address), from: by, clock.now) == [])
        var asked: [MappingMachine.Action] = []
        while asked.isEmpty {
            asked = actions(for: .seconds(10)).filter { $0 != .check(by) }
            _ = machine.heard(.known(address), from: by, clock.now)
        }
        #expect(asked == [.ask(by, external: 40_000)])
        // Nobody answers any more.
        for _ in 0..<181 {
            _ = machine.heard(.failed("no answer"), from: by, clock.now)
            _ = actions(for: .seconds(20))
        }
        #expect(machine.remains == [])
    }

    @Test(arguments: [(MappingProtocol.pcp, 1), (.pcp, 30), (.pcp, 90), (.natPMP, 1), (.upnp, 1)])
    mutating func `however short a lease, it is renewed once a minute at most`(by: MappingProtocol, seconds: Int) {
        machine = MappingMachine(port: 40_000, ways: [by], times: MappingTimes(), random: .seeded(1))
        let ask = MappingMachine.Action.ask(by, external: 40_000)
        var wanted = machine.begin(clock.now)
        var asked = 0
        for _ in 0..<6000 {
            if wanted.contains(ask) {
                asked += 1
                _ = machine.heard(.mapped(outside, lease: .seconds(seconds)), from: by, clock.now)
            }
            wanted = actions(for: .milliseconds(100))
        }
        #expect((9...11).contains(asked))
        #expect(machine.remains == [.remove(by, external: 40_000)])
    }

    @Test mutating func `a new network makes the mapping doubtful, and it is dropped when nobody confirms it`() {
        mapped(by: .pcp)
        #expect(machine.begin(clock.now) == [.ask(.pcp, external: 40_000)])
        #expect(machine.heard(.failed("no answer"), from: .pcp, clock.now) == [.ask(.natPMP, external: 40_000)])
        #expect(machine.heard(.failed("no answer"), from: .natPMP, clock.now) == [.ask(.upnp, external: 40_000)])
        _ = machine.heard(.failed("nobody"), from: .upnp, clock.now)
        let reports = actions(for: .seconds(9)).compactMap { action in
            if case .report(let report) = action { report.mapped } else { nil }
        }
        #expect(reports == [])
        #expect(machine.remains == [])
    }

    @Test mutating func `a router with a new address is told of, and one that was restarted is asked again`() {
        mapped(by: .natPMP)
        let new = Endpoint(address: .v4(0x1900_7116), port: 40_000)
        #expect(
            machine.heard(.known(new.address), from: .natPMP, clock.now)
                == [.report(MappingReport(mapped: new, by: .natPMP, failures: [.pcp: "a"]))])
        #expect(machine.heard(.restarted, from: .natPMP, clock.now) == [.ask(.pcp, external: 40_000)])
        #expect(machine.heard(.restarted, from: .upnp, clock.now) == [])
    }

    @Test mutating func `a port that is taken is another one's, and after a few no more is asked for`() {
        _ = machine.begin(clock.now)
        _ = machine.heard(.failed("a"), from: .pcp, clock.now)
        var ports: [UInt16] = []
        for _ in 0..<10 {
            for case .ask(.natPMP, let port) in machine.heard(.taken, from: .natPMP, clock.now) { ports.append(port) }
        }
        #expect(ports.count == 3)
        #expect(Set(ports).count == 3 && ports.allSatisfy { $0 >= 1024 })
    }

    @Test(arguments: [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "127.0.0.1", "0.0.0.0", "2a00::1",
    ])
    mutating func `an address that leads nowhere from outside is refused and taken back`(address: String) throws {
        _ = machine.begin(clock.now)
        let mapped = Endpoint(address: try #require(Endpoint.address(address)), port: 40_000)
        let actions = machine.heard(.mapped(mapped, lease: nil), from: .pcp, clock.now)
        #expect(actions.first == .remove(.pcp, external: 40_000))
        #expect(machine.remains == [])
    }
}
