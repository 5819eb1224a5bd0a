// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model

/// A server under load, as a process of its own so that its CPU time and memory can be read; gone with this object.
final class BenchChild: Sendable {
    let endpoint: Endpoint
    let group: ProcessGroup
    /// The reading end of its standard output; -1 for none.
    private let output: Int32
    /// Kept for as long as it runs.
    private let directory: ScratchDirectory?

    /// Starts this program with other arguments, and waits until it says where it listens.
    init(own arguments: [String], in directory: ScratchDirectory? = nil) throws(ProgramFailure) {
        var pipes: [Int32] = [-1, -1]
        guard pipe(&pipes) == 0 else { throw ProgramFailure(.failure, "The system gave no pipe.") }
        (0..<2).forEach { _ = fcntl(pipes[$0], F_SETFD, FD_CLOEXEC) }
        let id = spawn("/proc/self/exe", ["parley-index"] + arguments, output: pipes[1])
        close(pipes[1])
        (output, self.directory) = (pipes[0], directory)
        guard let id else {
            close(pipes[0])
            throw ProgramFailure(.failure, "The server to be measured did not start.")
        }
        group = ProcessGroup(id: id)
        guard let endpoint = readLine(pipes[0]).flatMap(listeningEndpoint) else {
            group.stop()
            close(pipes[0])
            throw ProgramFailure(.failure, "The server to be measured does not listen.")
        }
        self.endpoint = endpoint
    }

    /// Starts another program, which will listen at a port of 127.0.0.1.
    init(_ program: String, _ arguments: [String], port: UInt16, in directory: ScratchDirectory) throws(ProgramFailure)
    {
        guard let id = spawn(program, [program] + arguments, output: nil) else {
            throw ProgramFailure(.failure, "\(program) did not start.")
        }
        (endpoint, group, output, self.directory) = (.loopback(port), ProcessGroup(id: id), -1, directory)
    }

    deinit {
        group.stop()
        if output >= 0 { close(output) }
    }

    /// The next line of its output.
    func nextLine() -> String? { readLine(output) }
}

/// Where a program is, looked for as a shell of root would.
func findProgram(_ name: String) -> String? {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let directories = path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    return directories.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
}

/// - Parameter output: its standard output; `nil`: it says nothing, on standard error neither.
private func spawn(_ program: String, _ arguments: [String], output: Int32?) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if let output {
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    } else {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The signals that this program holds back are the child's to receive; a terminal's are this program's alone.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var pointers = arguments.map { strdup($0) }
    pointers.append(nil)
    defer { pointers.forEach { free($0) } }
    var id: pid_t = 0
    return posix_spawn(&id, program, &actions, &attributes, pointers, environ) == 0 ? id : nil
}

private func readLine(_ descriptor: Int32) -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < 1024, read(descriptor, &byte, 1) == 1 {
        if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
        line.append(byte)
    }
    return nil
}

/// The endpoint in a line `listening on 127.0.0.1:50000…`.
private func listeningEndpoint(_ line: String) -> Endpoint? {
    let words = line.split { $0 == " " || $0 == "," }
    // The log's time stands before it.
    guard let place = words.firstIndex(of: "listening"), place + 2 < words.count else { return nil }
    return Endpoint(words[place + 2])
}
