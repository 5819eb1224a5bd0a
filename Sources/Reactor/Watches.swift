// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// The descriptors of a loop and who wants to hear of them.
struct Watches {
    typealias Handler = (Readiness) -> Void

    private struct Watch {
        /// Tells a watch from a later one of the same number: descriptors are reused.
        let serial: UInt64
        let handler: Handler
        var wantsWritable = false
    }

    /// A report to deliver, or not, should its watch be gone by then.
    struct Report {
        let descriptor: Int32
        let serial: UInt64
        let events: Int32
    }

    private var watches: [Int32: Watch] = [:]
    private var nextSerial: UInt64 = 0
    /// What poll(2) gets: the wake-up descriptor first. Built anew only after a change.
    private var polled: [pollfd] = []
    private var serials: [UInt64] = []
    private var isStale = true

    mutating func add(_ descriptor: Int32, _ handler: @escaping Handler) {
        nextSerial += 1
        watches[descriptor] = Watch(serial: nextSerial, handler: handler)
        isStale = true
    }

    mutating func remove(_ descriptor: Int32) {
        if watches.removeValue(forKey: descriptor) != nil { isStale = true }
    }

    mutating func setWritable(_ descriptor: Int32, _ on: Bool) {
        guard let watch = watches[descriptor], watch.wantsWritable != on else { return }
        watches[descriptor]?.wantsWritable = on
        isStale = true
    }

    func handler(of report: Report) -> Handler? {
        guard let watch = watches[report.descriptor], watch.serial == report.serial else { return nil }
        return watch.handler
    }

    /// Sleeps until a descriptor is ready, `wake` becomes readable, the timeout is over or a signal comes.
    /// - Parameter sleep: poll(2) itself.
    /// - Returns: whether `wake` is readable, and what there is to tell.
    mutating func poll(
        wake: Int32, sleep: (UnsafeMutablePointer<pollfd>, Int) -> Int32
    ) -> (woken: Bool, reports: [Report]) {
        if isStale { rebuild(wake: wake) }
        let ready = polled.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { sleep($0, buffer.count) } ?? 0
        }
        guard ready > 0 else { return (false, []) }
        var reports: [Report] = []
        for (entry, serial) in zip(polled, serials).dropFirst() where entry.revents != 0 {
            reports.append(Report(descriptor: entry.fd, serial: serial, events: Int32(entry.revents)))
        }
        return (polled.first.map { $0.revents != 0 } ?? false, reports)
    }

    private mutating func rebuild(wake: Int32) {
        polled = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
        serials = [0]
        for (descriptor, watch) in watches {
            let events = watch.wantsWritable ? POLLIN | POLLOUT : POLLIN
            polled.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
            serials.append(watch.serial)
        }
        isStale = false
    }
}
