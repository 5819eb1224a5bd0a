// SPDX-License-Identifier: GPL-3.0-or-later

/// Lets one task sleep until somebody rings or a time has passed, whichever is first.
public final class Alarm: Sendable {
    private struct State {
        var hasRung = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let state = Lock(State())

    public init() {}

    /// Wakes the sleeper, or lets the next sleep end at once.
    public func ring() {
        let sleeper = state.withLock { state in
            if state.sleeper == nil { state.hasRung = true }
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Sleeps until `ring`, until so much time has passed (`nil`: for ever), or until the task is cancelled.
    /// - Important: one sleeper at a time.
    public func sleep(for duration: Duration?) async {
        guard let duration else { return await sleep() }
        guard duration > .zero else { return }
        _ = await rings(within: duration)
    }

    /// Whether it rings before so much time has passed; false also when the task is cancelled.
    /// - Important: one sleeper at a time.
    public func rings(within duration: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.sleep()
                return !Task.isCancelled
            }
            group.addTask {
                // Throws only when cancelled, which ends the sleep as well.
                try? await Task.sleep(for: duration)
                return false
            }
            let rang = await group.next() ?? false
            group.cancelAll()
            return rang
        }
    }

    private func sleep() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGo = state.withLock { state in
                    if state.hasRung || Task.isCancelled {
                        state.hasRung = false
                        return true
                    }
                    state.sleeper = continuation
                    return false
                }
                if mayGo { continuation.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                defer { state.sleeper = nil }
                return state.sleeper
            }
            sleeper?.resume()
        }
    }
}
