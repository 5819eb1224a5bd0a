// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import CommandLineKit
import CPosix
import Glibc
import Identity
import Model
import Network
import PeerEngine
import PortMapping
import Queues
import Reactor
import Wire

/// `parley doctor`: looks at everything that a conversation needs, and changes nothing. Works beside a running chat.
struct DoctorProgram: NetworkProgram {
    /// How long each part may take; they run at the same time.
    private static let limit = Swift.Duration.seconds(6)

    let options: Options
    let home: String
    let json: Bool
    let loop: PollExecutor

    func run() async throws(ProgramFailure) -> Status {
        tellWait()
        let report = DoctorReport(await look())
        let text = json ? String(decoding: report.json.encoded(), as: UTF8.self) + "\n" : report.text
        writeAll(Array(text.utf8), to: STDOUT_FILENO)
        return report.isWell ? .ok : .failure
    }

    /// It takes seconds until everybody has answered, or has not.
    private func tellWait() {
        let servers = options.indexServers.count
        let asked = [
            asksRouter ? "the router" : nil,
            servers == 0 ? nil : servers == 1 ? "1 index server" : "\(servers) index servers",
        ].compactMap { $0 }
        guard isatty(STDERR_FILENO) == 1, !asked.isEmpty else { return }
        writeAll(Array("asking \(asked.joined(separator: " and "))...\n".utf8), to: STDERR_FILENO)
    }

    /// Whether the chat would have the router open a port.
    private var asksRouter: Bool { !options.relayOnly && !options.noPortMapping }

    private func look() async -> DoctorFindings {
        var found = DoctorFindings(home: home, now: Clocks.system.wall(), screen: lookAtScreen(options.screen.noColor))
        (found.isRelayOnly, found.mapsPorts) = (options.relayOnly, !options.noPortMapping)
        lookAtHome(&found)
        found.addresses = InterfaceAddress.all.map(\.address)
        async let servers = lookAtServers()
        async let mapping = within(DoctorProgram.limit) { () -> [MappingProtocol: MappingSurvey] in
            guard asksRouter else { return [:] }
            return await onOwnThread { PortMapper.survey(routers: { .current }, limit: .seconds(5)) }
        }
        async let hearsGroup = DoctorGroup.isHeard(loop: loop)
        found.servers = await servers
        found.mapping = await mapping ?? [:]
        found.hearsGroup = await hearsGroup
        return found
    }

    // MARK: The home

    private func lookAtHome(_ found: inout DoctorFindings) {
        do throws(IdentityFileError) {
            found.identity = .fine("ID \(try IdentityFile.load(home: home).peer)")
        } catch .missing {
            found.identity = .missing
        } catch .passphraseNeeded {
            found.identity = .fine("protected by a passphrase")
        } catch {
            found.identity = .bad("\(error)")
        }
        var status = stat()
        if stat(Home.storePath(home), &status) == 0 {
            do throws(StoreError) {
                let store = try ChatStore(readingOnly: Home.storePath(home))
                found.port = try store.load().port
                store.close()
                found.history = .fine(size(UInt64(max(0, status.st_size))))
            } catch { found.history = .bad("\(error)") }
        }
        var disk = statvfs()
        // Where the home will be, if it is not there yet.
        var place = home
        while statvfs(place, &disk) != 0, errno == ENOENT, let slash = place.lastIndex(of: "/"),
            slash > place.startIndex
        {
            place = String(place[..<slash])
        }
        if statvfs(place, &disk) == 0 {
            found.freeDisk = UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize)).partialValue
        }
    }

    // MARK: Index servers

    private func lookAtServers() async -> [DoctorFindings.Server] {
        guard let port = try? DatagramPort(ListenAddress(port: 0), reportsUnreachable: false) else { return [] }
        let asker = DoctorAsker(port: port, loop: loop)
        await asker.open()
        let hints = options.indexServers
        let found = await withTaskGroup(of: (Int, [DoctorFindings.Server]).self) { group in
            for (index, hint) in hints.enumerated() {
                group.addTask { (index, await look(at: hint, asker)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        await asker.close()
        return found.sorted { $0.0 < $1.0 }.flatMap(\.1)
    }

    /// - Returns: one for each address that the name leads to, or what keeps it from leading anywhere.
    private func look(at hint: Invite.IndexHint, _ asker: DoctorAsker) async -> [DoctorFindings.Server] {
        let resolved = await within(.seconds(3)) { () -> Result<[Endpoint], NetworkError> in
            do throws(NetworkError) {
                return .success(try await HostResolver.resolveAll(hint.server, defaultPort: WireLimits.indexPort))
            } catch { return .failure(error) }
        }
        var server = DoctorFindings.Server(name: hint.server)
        switch resolved {
        case .success(let endpoints):
            return await withTaskGroup(of: (Int, DoctorFindings.Server).self) { group in
                for (index, endpoint) in endpoints.enumerated() {
                    group.addTask { (index, await look(at: endpoint, of: hint, asker)) }
                }
                return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
            }
        case .failure(let error): server.failure = "\(error)"
        case nil: server.failure = "the name servers don't answer"
        }
        return [server]
    }

    private func look(
        at endpoint: Endpoint, of hint: Invite.IndexHint, _ asker: DoctorAsker
    ) async -> DoctorFindings.Server {
        var server = DoctorFindings.Server(name: hint.server, endpoint: endpoint)
        async let acceptsTCP = onOwnThread { connects(to: endpoint, within: .milliseconds(1500)) }
        async let registration = asker.ask(.someRegistration, at: endpoint)
        async let query = asker.ask(.someQuery, at: endpoint)
        let (challenge, answer) = (await registration, await query)
        server.acceptsTCP = await acceptsTCP
        // The seed's servers don't say which question it is that they answer.
        server.roundTrip = answer?.span ?? challenge?.span
        server.take(challenge?.reply)
        if server.roundTrip == nil, server.acceptsTCP {
            await lookThroughTunnel(&server, endpoint, hint, asker)
        } else if let second = server.offers.secondPort, second != endpoint.port {
            let other = Endpoint(address: endpoint.address, port: second)
            if case .seen(let seen)? = await asker.ask(.seen, at: other)?.reply { server.seenAtSecondPort = seen }
        }
        return server
    }

    private func lookThroughTunnel(
        _ server: inout DoctorFindings.Server, _ endpoint: Endpoint, _ hint: Invite.IndexHint, _ asker: DoctorAsker
    ) async {
        if let reason = await asker.openTunnel(to: endpoint, key: hint.key) {
            server.tunnel = .closed(reason)
        } else if let reply = await asker.ask(.someRegistration, at: endpoint)?.reply {
            server.tunnel = .answers
            server.take(reply)
            // That is where the tunnel is seen.
            server.seen = nil
        } else {
            server.tunnel = .closed("nothing comes through it")
        }
    }
}

extension DoctorFindings.Server {
    /// What a server says when somebody wants to be registered.
    fileprivate mutating func take(_ reply: IndexReply?) {
        if case .cookie(_, let seen, let offers)? = reply { (self.seen, self.offers) = (seen, offers) }
    }
}

// MARK: The screen

private func lookAtScreen(_ noColor: Bool) -> DoctorFindings.Screen {
    setlocale(LC_CTYPE, "")
    let charset = nl_langinfo(Int32(CODESET)).map { String(cString: $0) }
    var window = winsize()
    let isTerminal = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 0
    return DoctorFindings.Screen(
        isUTF8: charset == "UTF-8", term: environment("TERM"),
        size: isTerminal ? (Int(window.ws_col), Int(window.ws_row)) : nil, noColor: noColor,
        tmux: environment("TMUX").flatMap { $0.isEmpty ? nil : lookAtTmux() })
}

private func lookAtTmux() -> DoctorFindings.Tmux? {
    // Of three lines; a tmux that hangs holds nobody up.
    let command = """
        timeout 1 tmux display-message -p '#{version}' ';' show-options -sv set-clipboard ';' \
        show-options -sv escape-time 2>/dev/null
        """
    guard let pipe = popen(command, "re") else { return nil }
    defer { pclose(pipe) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = fread(&buffer, 1, buffer.count, pipe)
    let lines = String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
    guard lines.count >= 3 else { return nil }
    return DoctorFindings.Tmux(version: lines[0], clipboard: lines[1], escapeTime: Int(lines[2]))
}

// MARK: Waiting

/// What `body` comes to, if it does in time; what it does goes on.
private func within<Value: Sendable>(
    _ limit: Swift.Duration, _ body: @escaping @Sendable () async -> Value
) async -> Value? {
    let first = BoundedQueue<Value?>(capacity: 2)
    Task { first.offer([await body()]) }
    Task {
        try? await Task.sleep(for: limit)
        first.offer([nil])
    }
    return await first.next()?.first ?? nil
}

/// Calls something that blocks.
private func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        let call = Unmanaged.passRetained(Call { continuation.resume(returning: body()) })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Call>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, call.toOpaque())
        if code == 0 { pthread_detach(thread) } else { call.takeRetainedValue().body() }
    }
}

/// What a thread is to do.
private final class Call: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
