// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Reactor
import Wire

/// Lines of a descriptor, read only when somebody asks for them: what is not wanted yet stays in the pipe.
actor LineInput {
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let descriptor: Int32
    private var partial: [UInt8] = []
    private var isAtEnd = false
    private var reader: CheckedContinuation<[[UInt8]]?, Never>?

    init(descriptor: Int32, loop: PollExecutor) {
        self.descriptor = descriptor
        self.loop = loop
    }

    /// The lines that have come by now, at least one; `nil` at the end of input or when the task is cancelled. A line
    /// that exceeds `WireLimits.pipeLine` comes cut, so that it is refused.
    func next() async -> [[UInt8]]? {
        while !isAtEnd {
            let lines = await withTaskCancellationHandler {
                await withCheckedContinuation { wait($0) }
            } onCancel: {
                Task { await self.stop() }
            }
            guard let lines else { break }
            if !lines.isEmpty { return lines }
        }
        return nil
    }

    private func wait(_ continuation: CheckedContinuation<[[UInt8]]?, Never>) {
        guard !Task.isCancelled else { return continuation.resume(returning: nil) }
        reader = continuation
        loop.watch(descriptor) { [unowned self] _ in assumeIsolated { $0.read() } }
    }

    private func stop() {
        loop.unwatch(descriptor)
        resume(nil)
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        loop.unwatch(descriptor)
        guard count > 0 else {
            isAtEnd = true
            // A last line without a newline counts.
            return resume(partial.isEmpty ? nil : [partial])
        }
        resume(split(buffer[..<count]))
    }

    private func split(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(partial + rest[..<end])
            partial = []
            rest = rest[(end + 1)...]
        }
        if partial.count + rest.count <= WireLimits.pipeLine { partial += rest }
        return lines
    }

    private func resume(_ lines: [[UInt8]]?) {
        let waiting = reader
        reader = nil
        waiting?.resume(returning: lines)
    }
}
