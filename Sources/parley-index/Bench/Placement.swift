// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix

/// Which CPUs servers and the load generator run on: one each, or wherever the system puts them.
struct Placement: Sendable {
    let isPinned: Bool

    private static let (servers, generator): (Int32, Int32) = (0, 1)

    /// Puts the calling thread in the generator's place.
    /// - Parameter wanted: counts only where both CPUs may be used.
    init(pinned wanted: Bool) {
        isPinned = wanted && cp_pin_thread(Self.servers) == 0 && cp_pin_thread(Self.generator) == 0
    }

    /// Starts something on the servers' CPU: processes stay where their parent's thread was.
    func onServersCPU<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        if isPinned { cp_pin_thread(Self.servers) }
        defer { if isPinned { cp_pin_thread(Self.generator) } }
        return try body()
    }
}
