// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CPosix
import CommandLineKit
import Glibc
import IndexEngine
import Network
import Queues
import Reactor
import SafeText

/// `parley-index check`: whether a server could start by these settings, a sentence for each thing that is in its way.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether the server could start by its settings, and what is in the way.",
        discussion: "Exit status: 0 it could, 1 it could not, 2 wrong usage. Nothing is written.")
    @OptionGroup var setting: SettingOptions
    @Flag(help: "Print each setting and where it comes from.") var show = false

    func run() throws {
        let resolution = try setting.resolve()
        let settings = resolution.settings
        if show { print(settings.table) }
        var findings = resolution.faults.map(Finding.fault) + resolution.warnings.map(Finding.fault)
        if !settings.dataDirectory.isEmpty { findings.append(checkDirectory(settings.dataDirectory)) }
        if let metrics = settings.metrics, let reason = streamFault(metrics) {
            let fault = "The metrics' address \(metrics) is not to be had: \(reason)."
            findings.append(.taken("The metrics' address \(metrics)", fault: fault))
        }
        if let fault = checkPort(settings.listen) {
            findings.append(.taken("UDP port \(settings.listen.port)", fault: fault))
        }
        findings.append(settings.relays ? .fine(settings.relaySentence) : .fine("It does not relay."))
        if settings.relays, let reason = streamFault(settings.listen) {
            let subject = "TCP port \(settings.listen.port), for peers without UDP,"
            findings.append(.taken(subject, fault: "\(subject) is not to be had: \(reason)."))
        }
        if let second = settings.secondPort, second != 0 {
            var beside = settings.listen
            beside.port = second
            if let fault = checkPort(beside) { findings.append(.taken("UDP port \(second)", fault: fault)) }
        }
        if findings.contains(where: \.mayBeOurs) { try askServer(settings, findings) } else { finish(findings) }
    }

    /// What is taken may be taken by the server that these settings are of: then all is well.
    private func askServer(_ settings: ServerSettings, _ findings: [Finding]) throws -> Never {
        let loop = try makeLoop("control")
        runUntilDone(loop, signals: SignalWatch()) { () async throws(ProgramFailure) -> Int32 in
            let client = ControlClient(path: settings.controlPath, loop: loop)
            let running = await client.firstSnapshot(within: .seconds(2))?.server
            return report(findings.map { $0.explained(by: running, settings) })
        }
    }

    private func finish(_ findings: [Finding]) -> Never { Glibc.exit(report(findings)) }
}

/// One thing that the check looked at.
enum Finding: Equatable, Sendable {
    case fault(String)
    /// An address that another program has, perhaps the very server.
    case taken(String, fault: String)
    case fine(String)

    fileprivate var mayBeOurs: Bool {
        if case .taken = self { true } else { false }
    }

    /// - Parameter running: who answers at the control socket.
    func explained(by running: ServerInfo?, _ settings: ServerSettings) -> Finding {
        guard case .taken(let subject, let fault) = self else { return self }
        guard let running else { return .fault(fault) }
        // A wildcard may be told in either family.
        let isSame =
            settings.listen.address == nil
            ? running.listen.hasSuffix(":\(settings.listen.port)") : running.listen == "\(settings.listen)"
        guard isSame else {
            return .fault(
                "\(fault) The parley-index at \(settings.controlPath) listens elsewhere, on \(running.listen).")
        }
        return .fine("\(subject) is held by the parley-index \(running.version) that runs at \(settings.controlPath).")
    }
}

/// Prints what was found.
/// - Returns: the exit status.
private func report(_ findings: [Finding]) -> Int32 {
    var faults = 0
    for finding in findings {
        switch finding {
        case .fault(let text), .taken(_, let text):
            faults += 1
            complain(text)
        case .fine(let text): print(text)
        }
    }
    guard faults == 0 else { return Status.failure.rawValue }
    print("The settings are in order.")
    return Status.ok.rawValue
}

private func print(_ text: String) {
    // Line by line: the sanitiser makes a newline visible.
    for line in text.split(separator: "\n") {
        writeAll(Array((DisplayText(line).string + "\n").utf8), to: STDOUT_FILENO)
    }
}

extension ServerSettings {
    /// What it would pass on.
    fileprivate var relaySentence: String {
        "It relays: \(relayBitsPerSecond / 1000) kbit/s for each pair of peers, "
            + "\(relayTotalBitsPerSecond / 1000) kbit/s in all, \(relayChannels) pairs."
    }

    /// Each setting as a line of the settings' file, its origin as a comment.
    var table: String {
        let lines = Setting.all.map { ($0.key + " = " + $0.written(self), "\(origin(of: $0.key))") }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { line, origin in
            line + String(repeating: " ", count: width - line.count) + "  # \(origin)"
        }.joined(separator: "\n")
    }
}

extension Setting {
    /// Its value as the file has it.
    fileprivate func written(_ settings: ServerSettings) -> String {
        let text = show(settings)
        guard Int(text) == nil, text != "true", text != "false" else { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

// MARK: - What the system says

/// - Returns: why the port can't be opened.
private func checkPort(_ listen: ListenAddress) -> String? {
    do throws(NetworkError) {
        _ = try DatagramPort(listen, reportsUnreachable: false)
        return nil
    } catch {
        return error.description
    }
}

/// Whether the data directory, or the nearest above it that is there, can be written to.
private func checkDirectory(_ path: String) -> Finding {
    var place = path
    var status = stat()
    while stat(place, &status) != 0 {
        guard errno == ENOENT || errno == ENOTDIR, place != "/", place != "." else {
            return .fault("The data directory \(path) can't be used: \(systemReason(errno)), at \(place).")
        }
        let parent = place.lastIndex(of: "/").map { place[..<$0] }
        place = parent.map { $0.isEmpty ? "/" : String($0) } ?? "."
    }
    // The kinds of files are macros, which Swift does not see in full.
    guard status.st_mode & 0o170000 == 0o040000 else {
        return .fault("The data directory \(path) can't be made: \(place) is no directory.")
    }
    guard access(place, W_OK | X_OK) == 0 else {
        return .fault("The data directory \(path) can't be used: \(systemReason(errno)), at \(place).")
    }
    let use = directoryHolder(path).map { "; \($0) uses it right now" } ?? ""
    var space = statvfs()
    guard statvfs(place, &space) == 0 else { return .fine("The data directory is \(path)\(use).") }
    let (free, overflow) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
    guard overflow || free >= 64 << 20 else {
        return .fault("The disk of \(path) has \(free >> 20) MiB left; registrations need 64 at least.")
    }
    return .fine("The data directory is \(path), with \(overflow ? .max : free >> 30) GiB free\(use).")
}

/// - Returns: why nothing can listen there by TCP.
private func streamFault(_ where_: ListenAddress) -> String? {
    let text = "\(where_)"
    let host = text.prefix(upTo: text.lastIndex(of: ":") ?? text.endIndex).filter { $0 != "[" && $0 != "]" }
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(where_.port)", &hints, &found) == 0, let info = found else { return "no such address" }
    defer { freeaddrinfo(found) }
    let descriptor = socket(info.pointee.ai_family, info.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return systemReason(errno) }
    defer { close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0, listen(descriptor, 1) == 0 else {
        return systemReason(errno)
    }
    return nil
}
