// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model

/// What the system says of a process and of those that it started.
struct ProcessGroup: Sendable {
    let id: pid_t

    /// CPU time of all threads so far in nanoseconds, from the first numbers of /proc/PID/task/*/schedstat.
    var cpuTime: UInt64 {
        members.reduce(0) { total, process in
            namesIn("/proc/\(process)/task").reduce(total) { total, thread in
                total + (numbers("/proc/\(process)/task/\(thread)/schedstat").first ?? 0)
            }
        }
    }

    /// Bytes in memory: the second number of /proc/PID/statm.
    var residentBytes: UInt64 {
        members.reduce(0) { total, process in
            let pages = numbers("/proc/\(process)/statm").dropFirst().first ?? 0
            return total + pages * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
        }
    }

    /// Asks them to end, and two seconds later makes them.
    func stop() {
        kill(-id, SIGTERM)
        for _ in 0..<200 {
            if waitpid(id, nil, WNOHANG) != 0 { return }
            _ = poll(nil, 0, 10)
        }
        kill(-id, SIGKILL)
        waitpid(id, nil, 0)
    }

    private var members: [String] {
        namesIn("/proc").filter { name in
            // PID (name) state parent group
            guard name.utf8.first.map({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) ?? false,
                let fields = readFile("/proc/\(name)/stat")?.split(separator: ")").last?.split(separator: " "),
                fields.count > 2
            else { return false }
            return pid_t(fields[2]) == id
        }
    }

    private func numbers(_ path: String) -> [UInt64] {
        readFile(path)?.split { $0 == " " || $0 == "\n" }.compactMap { UInt64($0) } ?? []
    }
}

private func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = read(descriptor, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
}

/// Names of a directory's entries but `.` and `..`; none when it can't be read.
func namesIn(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
