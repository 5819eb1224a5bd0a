// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix

/// Which CPUs servers and the load generator run on: one each, or wherever the system puts them.
struct Placement: Sendable {
    let isPinned: Bool

    /// - Parameter wanted: counts only where there are two CPUs.
    init(pinned wanted: Bool) { isPinned = wanted && cp_allowed_cpus() >= 2 }

    /// Moves the calling thread to the generator's CPU.
    func enter() { if isPinned { cp_pin_thread(1) } }

    /// Starts something on the servers' CPU: processes stay where their parent's thread was.
    func onServersCPU<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        if isPinned { cp_pin_thread(0) }
        defer { enter() }
        return try body()
    }
}
