// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Network
import Reactor
import Support

/// Passes a TCP connection on, and keeps all that is said in it.
final class Wiretap: Sendable {
    private final class State: @unchecked Sendable {
        // Sendable: only the loop's thread touches it.
        var heard: [UInt8] = []
        var open: [Int32] = []
        deinit { open.forEach { close($0) } }
    }

    let place: Endpoint
    private let thread: LoopThread
    private let state = State()

    init(to server: Endpoint) async throws {
        let thread = try LoopThread()
        self.thread = thread
        place = try await thread.run { [state] loop in
            let (door, place) = try TCP.listen(at: .loopback(0))
            state.open.append(door.descriptor)
            loop.watch(door.descriptor) { _ in
                guard let near = door.accept(), let far = try? TCP.connect(to: server) else { return }
                _ = fcntl(far, F_SETFL, fcntl(far, F_GETFL) & ~O_NONBLOCK)
                state.open += [near, far]
                for (from, to) in [(near, far), (far, near)] {
                    loop.watch(from) { _ in
                        var buffer = [UInt8](repeating: 0, count: 65_536)
                        let count = recv(from, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                        guard count > 0 else {
                            shutdown(to, Int32(SHUT_WR))
                            return loop.unwatch(from)
                        }
                        state.heard += buffer.prefix(count)
                        _ = send(to, buffer, count, Int32(MSG_NOSIGNAL))
                    }
                }
            }
            return place
        }
    }

    /// Both directions, as they came.
    var heard: [UInt8] { get async { await thread.run { [state] _ in state.heard } } }
}
