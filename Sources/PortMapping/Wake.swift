// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Model

/// A pipe by which one thread wakes another that sleeps in poll(2).
final class Wake: Sendable {
    let descriptor: Int32
    private let input: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }
        (descriptor, input) = (ends[0], ends[1])
    }

    deinit {
        for end in [descriptor, input] where end >= 0 { close(end) }
    }

    func signal() {
        var one: UInt8 = 1
        _ = write(input, &one, 1)
    }

    /// Takes back all signals.
    func clear() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }

    /// Blocks the caller until somebody has signalled, or the moment has come.
    func wait(until deadline: Instant) {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&ready, 1, timeout(until: deadline)) < 0, errno == EINTR {}
    }
}
