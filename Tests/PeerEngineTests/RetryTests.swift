// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Traversal
import Wire

@testable import PeerEngine

/// How often somebody who is not there is looked up and dialled.
@Suite struct RetryTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let bobID = World.peer(2)

    private static func friend(_ number: Int) -> Contact {
        Contact(
            peer: World.peer(number), name: "p\(number)", key: World.identity(number).key.octets, accepted: true)
    }

    /// A registered peer that died, and somebody who writes to it.
    private func bereaved(_ world: inout World, hasMet: Bool) throws {
        world.startRelay(relays: false)
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, contacts: [Self.friend(1)])
        world.run(for: .seconds(1))
        if hasMet {
            try world.perform(.send(to: bobID, text: "are you there?", tag: nil), at: alice)
            world.run(for: .seconds(5))
            #expect(world.paths(at: alice).last == .lan)
        }
        world.remove(bob)
        world.run(for: .seconds(10))
    }

    /// Ten minutes in which the dead peer's machine says at each probe that nobody reads there.
    private func wait(in world: inout World) -> (lookups: [Double], dials: [Double]) {
        let start = world.now
        var (dials, known) = ([Double](), dialCount(world))
        while world.now.since(start) < .seconds(600) {
            world.run(for: .milliseconds(250))
            world.deliver(.unreachable(bob), to: alice)
            if dialCount(world) > known {
                known = dialCount(world)
                dials.append(world.now.since(start).seconds)
            }
        }
        return (world.requestTimes("query", from: alice, since: start), dials)
    }

    private func dialCount(_ world: World) -> Int {
        (world.commands[alice] ?? []).count { if case .dial = $0 { true } else { false } }
    }

    private func pauses(_ times: [Double]) -> [Double] { zip(times.dropFirst(), times).map { $0 - $1 } }

    @Test func `with its conversation open a dead peer is tried every eight seconds, and looked up once for each try`()
        throws
    {
        var world = World()
        try bereaved(&world, hasMet: true)
        try world.perform(.open(bobID), at: alice)
        try world.perform(.send(to: bobID, text: "hello?", tag: nil), at: alice)
        let (lookups, dials) = wait(in: &world)
        // Each try takes three seconds, and a pause is less by a third at most.
        #expect((54...75).contains(dials.count), "\(dials.count)")
        #expect(lookups.count <= dials.count + 1 && lookups.count >= dials.count - 1, "\(lookups.count)")
        #expect(pauses(dials).dropFirst(6).allSatisfy { (8...11.5).contains($0) }, "\(pauses(dials))")
    }

    @Test func `without its conversation open a dead peer that nobody met lately is tried once a minute`() throws {
        var world = World()
        try bereaved(&world, hasMet: false)
        try world.perform(.send(to: bobID, text: "hello?", tag: nil), at: alice)
        let (lookups, dials) = wait(in: &world)
        #expect((14...20).contains(dials.count), "\(dials.count)")
        #expect(lookups.count <= dials.count + 1 && lookups.count >= dials.count - 1, "\(lookups.count)")
        #expect(pauses(dials).dropFirst(9).allSatisfy { (43...63.5).contains($0) }, "\(pauses(dials))")
    }

    @Test func `the reason tells when it is tried next, and that is when it is tried`() throws {
        var world = World()
        try bereaved(&world, hasMet: true)
        try world.perform(.open(bobID), at: alice)
        var (told, tried) = ([Double](), [Double]())
        let start = world.now
        var (reasons, dials) = (world.pathReasons(at: alice, .none).count, dialCount(world))
        while world.now.since(start) < .seconds(120) {
            world.run(for: .milliseconds(50))
            let now = world.now.since(start).seconds
            let all = world.pathReasons(at: alice, .none)
            if all.count > reasons, let seconds = all.last.flatMap(Self.seconds) { told.append(now + Double(seconds)) }
            reasons = all.count
            if dialCount(world) > dials, !told.isEmpty { tried.append(now) }
            dials = dialCount(world)
        }
        #expect(told.count >= 8, "\(world.pathReasons(at: alice, .none))")
        for moment in told.dropLast() {
            #expect(tried.contains { $0 <= moment + 0.1 && $0 > moment - 1.1 }, "\(moment) \(tried)")
        }
    }

    /// What a reason says about the next try.
    private static func seconds(_ reason: String) -> Int? {
        guard let tail = reason.split(separator: ";").last, tail.hasPrefix(" next try in ") else { return nil }
        return Int(tail.dropFirst(13).prefix { $0.isNumber })
    }

    @Test func `a round trip that is known before the session counts is told with its path`() throws {
        var world = World()
        world.startRelay(relays: false)
        world.addPeer(1, contacts: [Self.friend(2)])
        world.run(for: .seconds(1))
        try world.perform(.open(bobID), at: alice)
        let session = try #require(world.net.names(at: alice).last?.id)
        world.deliver(.up(session, key: World.identity(2).key, at: .direct(bob), binding: []), to: alice)
        world.deliver(.roundTrip(session, .milliseconds(3)), to: alice)
        let hello = SessionFrame.hello(.init(instance: 1, contact: true, name: nil)).encoded()
        world.deliver(.frames(session, [hello]), to: alice)
        world.deliver(.path(session, PathReport(.direct(bob), .punched)), to: alice)
        let told = (world.events[alice] ?? []).compactMap { event -> Span? in
            if case .path(_, let kind, let roundTrip, _) = event, kind != .none { roundTrip } else { nil }
        }
        #expect(told == [.milliseconds(3), .milliseconds(3)])
    }

    @Test func `a peer that is back under a new record is dialled as soon as a lookup says so`() throws {
        var world = World()
        try bereaved(&world, hasMet: true)
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(60))
        world.move(bob, to: World.place(7))
        world.addPeer(2, at: World.place(7))
        // Only alice's side tries: bob has nothing to say.
        world.run(for: .seconds(12))
        #expect(world.paths(at: alice).last == .lan)
    }
}
