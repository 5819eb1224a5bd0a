// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support

/// The runs of one index server, one after the other: killed and started again on the same port and data directory as
/// often as a test likes.
final class IndexRuns {
    var site: IndexSite
    /// What every run is started with, besides.
    private let options: [String]
    private(set) var current: ChildProcess?

    init(_ site: IndexSite, options: [String] = []) {
        self.site = site
        self.options = options
    }

    /// Starts it, and does not wait.
    /// - Parameters:
    ///   - launcher: what it is started by this time.
    ///   - more: what it is started with this time.
    @discardableResult
    func start(
        by launcher: [String] = [], _ more: [String] = [], environment: [String: String] = [:]
    ) throws -> ChildProcess {
        let run = try ChildProcess(
            launcher + site.arguments() + ["--headless", "--log-level", "warn"] + options + more,
            environment: environment)
        current = run
        return run
    }

    /// Starts it, and returns when it answers.
    @discardableResult
    func startAndWait(_ more: [String] = [], environment: [String: String] = [:]) throws -> ChildProcess {
        let run = try start(more, environment: environment)
        try site.waitUntilItAnswers()
        return run
    }

    var isRunning: Bool { current?.child.isRunning ?? false }

    func kill() {
        current?.child.send(SIGKILL)
        _ = current?.wait()
    }

    /// Ends it as a service manager does.
    @discardableResult
    func stop() -> Termination? {
        current?.child.send(SIGTERM)
        return current?.wait()
    }

    /// What its displays see of the store: its state and the reason.
    func store() throws -> (state: String?, reason: String?) {
        let store = try site.snapshot()["store"]
        return (store?["state"]?.string, store?["reason"]?.string)
    }

    /// Every sentence that its operator was told.
    func notices() throws -> [String] {
        (try site.snapshot()["notices"]?.array ?? []).compactMap { $0["text"]?.string }
    }
}
