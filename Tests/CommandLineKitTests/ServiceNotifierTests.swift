// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Support
import Testing

@Suite struct ServiceNotifierTests {
    /// A service manager's end: a bound datagram socket.
    private struct Manager: ~Copyable {
        let descriptor: Int32

        /// - Parameter name: a path, or a NUL and an abstract name.
        init(_ name: [UInt8]) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(2 + name.count)
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            try #require(result == 0)
        }

        deinit { close(descriptor) }

        /// What waits; empty when nothing does.
        func take() -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }

    @Test func `a manager at a path hears each state`() throws {
        let place = try TemporaryDirectory()
        let manager = try Manager(Array(place.file("notify").utf8))
        let notifier = try #require(
            ServiceNotifier(socket: place.file("notify"), watchdog: "30000000", watched: "\(getpid())"))
        #expect(notifier.watchdog == .seconds(30))
        #expect(notifier.ready("serves\nREADY=0 on 50000"))
        #expect(manager.take() == "READY=1\nSTATUS=serves READY=0 on 50000")
        #expect(notifier.alive())
        #expect(manager.take() == "WATCHDOG=1")
        #expect(notifier.reloading())
        #expect(manager.take().wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*/) != nil)
        #expect(notifier.status("loading"))
        #expect(manager.take() == "STATUS=loading")
        #expect(notifier.stopping())
        #expect(manager.take() == "STOPPING=1")
        #expect(manager.take() == "")
    }

    @Test func `a manager with an abstract name hears as well`() throws {
        let name = "parley-notify-\(getpid())"
        let manager = try Manager([0] + Array(name.utf8))
        let notifier = try #require(ServiceNotifier(socket: "@" + name, watchdog: nil, watched: nil))
        #expect(notifier.ready("up"))
        #expect(manager.take() == "READY=1\nSTATUS=up")
    }

    @Test(arguments: [nil, "", "/", "@", "relative", "vsock:2:1"])
    func `without a usable socket nobody is told`(socket: String?) {
        #expect(ServiceNotifier(socket: socket, watchdog: "1000000", watched: nil) == nil)
    }

    @Test func `a manager that is gone, or a name that is too long, is no reason to wait`() {
        for name in ["/nonexistent/notify", "@" + String(repeating: "n", count: 108)] {
            let notifier = ServiceNotifier(socket: name, watchdog: nil, watched: nil)
            #expect(notifier?.ready("up") == false)
        }
    }

    @Test(
        arguments: [
            (nil, nil, nil), ("", nil, nil), ("0", nil, nil), ("-5", nil, nil), ("x", nil, nil), ("5000000", "1", nil),
            ("5000000", nil, .seconds(5)),
        ] as [(String?, String?, Duration?)])
    func `the watchdog is for whom it is meant`(interval: String?, watched: String?, expected: Duration?) throws {
        #expect(try #require(ServiceNotifier(socket: "/n", watchdog: interval, watched: watched)).watchdog == expected)
    }
}
