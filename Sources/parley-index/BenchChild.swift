// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model

/// A server under load, as a process of its own so that its CPU time can be read.
final class BenchChild: Sendable {
    let endpoint: Endpoint
    private let pid: pid_t

    /// Starts this program with other arguments, and waits until it says where it listens.
    init(_ arguments: [String]) throws(ProgramFailure) {
        var pipes: [Int32] = [-1, -1]
        guard pipe(&pipes) == 0 else { throw ProgramFailure(.failure, "The system gave no pipe.") }
        defer { close(pipes[0]) }
        let started = spawn(arguments, output: pipes[1], closing: pipes[0])
        close(pipes[1])
        guard let started else { throw ProgramFailure(.failure, "The server to be measured did not start.") }
        guard let endpoint = readEndpoint(pipes[0]) else {
            stopProcess(started)
            throw ProgramFailure(.failure, "The server to be measured does not listen.")
        }
        (self.endpoint, pid) = (endpoint, started)
    }

    /// CPU time of all its threads so far in nanoseconds, from the first numbers of /proc/PID/task/*/schedstat.
    var cpuTime: UInt64 {
        guard let directory = opendir("/proc/\(pid)/task") else { return 0 }
        defer { closedir(directory) }
        var total: UInt64 = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let text = readFile("/proc/\(pid)/task/\(name)/schedstat") {
                total += text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
            }
        }
        return total
    }

    func stop() { stopProcess(pid) }
}

private func stopProcess(_ pid: pid_t) {
    kill(pid, SIGTERM)
    var status: Int32 = 0
    waitpid(pid, &status, 0)
}

private func spawn(_ arguments: [String], output: Int32, closing: Int32) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    for descriptor in [output, closing] { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The signals that this program holds back are the child's to receive.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let vector = ["parley-index"] + arguments
    var pointers = vector.map { strdup($0) }
    pointers.append(nil)
    defer { pointers.forEach { free($0) } }
    var pid: pid_t = 0
    return posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, pointers, environ) == 0 ? pid : nil
}

/// The endpoint in a first line `listening on 127.0.0.1:50000…`.
private func readEndpoint(_ descriptor: Int32) -> Endpoint? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < 1024, read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
    let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "," }
    guard words.count >= 3, words[0] == "listening" else { return nil }
    return Endpoint(words[2])
}

private func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
}
