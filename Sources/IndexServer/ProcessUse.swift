// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Model

/// What this process uses of the machine, from /proc/self (proc(5)); `nil` where the system does not tell.
enum ProcessUse {
    /// Resident set size, in bytes.
    static var residentBytes: UInt64? {
        guard let fields = read("/proc/self/statm")?.split(separator: " "), fields.count > 1,
            let pages = UInt64(fields[1])
        else { return nil }
        return pages.multipliedReportingOverflow(by: UInt64(sysconf(Int32(_SC_PAGESIZE)))).partialValue
    }

    /// CPU time since the start.
    static var cpu: Span? {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Span(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Descriptors that are open.
    static var openDescriptors: Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Not this listing's own descriptor, `.` and `..`.
        return max(0, count - 3)
    }

    /// Descriptors that may be open.
    static var descriptorLimit: UInt64? {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? UInt64(limit.rlim_cur) : nil
    }

    /// Seconds since 1970 at which it started.
    static func startSeconds(now: WallTime) -> Double? {
        // Field 22, counted behind the name, which may hold anything: ticks since the boot.
        guard let rest = read("/proc/self/stat")?.split(separator: ")").last?.split(separator: " "), rest.count > 19,
            let ticks = Double(rest[19])
        else { return nil }
        var uptime = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &uptime) == 0 else { return nil }
        let age = Double(uptime.tv_sec) + Double(uptime.tv_nsec) / 1e9 - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        return Double(now.milliseconds) / 1000 - age
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
