// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A listening socket that nobody can keep awake: a caller who can't be let in is turned away, not left in the backlog.
public final class ListeningSocket {
    public let descriptor: Int32
    /// Given up for a moment when the process has no descriptor left, so that a caller can be turned away.
    private var spare: Int32

    /// Takes over a listening, non-blocking socket.
    public init(_ descriptor: Int32) {
        self.descriptor = descriptor
        spare = openSpare()
    }

    /// The next caller's descriptor, close-on-exec; `nil` when nobody waits.
    public func accept() -> Int32? {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                // Another thread may have been faster when it was given up.
                if spare < 0 { spare = openSpare() }
                return accepted
            }
            guard errno == EMFILE || errno == ENFILE, turnAway() else { return nil }
        }
    }

    public func close() {
        Glibc.close(descriptor)
        Glibc.close(spare)
    }

    /// - Returns: whether somebody was turned away.
    private func turnAway() -> Bool {
        guard spare >= 0 else { return false }
        Glibc.close(spare)
        let accepted = Glibc.accept(descriptor, nil, nil)
        if accepted >= 0 { Glibc.close(accepted) }
        spare = openSpare()
        return accepted >= 0
    }
}

private func openSpare() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }
