// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Foundation
import Glibc
import Model
import PeerEngine
import StoreHammer
import Support
import Testing

/// The program that tests start and kill, and what must be true of its store after that.
enum Hammer {
    private static let path = (try? Executables.helper("StoreHammer")) ?? "StoreHammer, which was not built"
    /// How much more than usual to do.
    static let factor = soak

    static func arguments(_ mode: String, _ path: String, first: UInt64 = 0, count: UInt64) -> [String] {
        [Self.path, mode, path, "\(first)", "\(count)"]
    }

    /// The numbers in what it printed.
    static func acknowledged(_ lines: some Sequence<String>) -> [UInt64] { lines.compactMap { UInt64($0) } }

    /// Opens the store and checks that every acknowledged group is there, and every group wholly or not at all.
    /// - Returns: the number of the next group.
    @discardableResult
    static func check(_ path: String, acknowledged: UInt64?, _ place: Comment) async throws -> UInt64 {
        let store = try ChatStore(path: path)
        defer { store.close() }
        #expect(store.notices == [], place)
        try store.verify()
        let messages = try store.messages(limit: 1 << 20).map(\.message)
        guard let last = messages.last.map({ ($0.counter - 1) / HammerGroup.size }) else {
            #expect(acknowledged == nil, place)
            return 0
        }
        #expect(last >= acknowledged ?? 0, place)
        let wanted = (0..<(last + 1) * HammerGroup.size).filter {
            $0 % HammerGroup.size != 0 || $0 / HammerGroup.size == last
        }
        #expect(messages == wanted.map(HammerGroup.message), place)
        #expect(try store.load().sequence == last, place)
        if last > 0 {
            let erased = StoreChange.receive(HammerGroup.message((last - 1) * HammerGroup.size))
            #expect(try await store.commit([erased]) == [false], "an erased message came again; \(place)")
        }
        return last + 1
    }
}

extension Condition {
    /// Whether a program can be found.
    static func has(_ program: String) -> Bool {
        (Child.environment["PATH"] ?? "").split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }
}

/// What the machine offers.
enum Condition {
    static let isRoot = geteuid() == 0
    /// The leak checker, which asks the system as a debugger does, ends a program that strace watches.
    static let canTrace = has("strace") && !isSlow
    static let needsTrace: Comment = "there is no strace, or a sanitiser watches already"
}
