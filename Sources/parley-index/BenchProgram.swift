// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import Reactor
import Wire

/// `bench`: loads an index server and, where it can, a plain UDP echo beside it, by turns.
struct BenchProgram: Sendable {
    let options: BenchOptions
    let loop: PollExecutor

    /// Registered peers to ask for, and identities to register, each.
    private static let peers = 1024
    private static let identities = 512

    func run() async throws(ProgramFailure) -> Status {
        guard let server = options.server else { return try await runBeside() }
        let endpoint: Endpoint
        do throws(NetworkError) {
            endpoint = try await HostResolver.resolve(server, defaultPort: WireLimits.indexPort)
        } catch { throw ProgramFailure(.failure, "\(error)") }
        return try await measure(endpoint, child: nil, echo: nil)
    }

    /// Both servers as children, gone when this is over.
    private func runBeside() async throws(ProgramFailure) -> Status {
        var template = Array("/tmp/parley-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ProgramFailure(.failure, "No directory could be made in /tmp.") }
        let data = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { rmdir(data) }
        let index = try BenchChild([
            "serve", "--headless", "--quiet", "--listen", "127.0.0.1:0", "--data-dir", data,
        ])
        defer { index.stop() }
        let echo = try BenchChild(["bench-echo"])
        defer { echo.stop() }
        return try await measure(index.endpoint, child: index, echo: echo)
    }

    private func measure(_ server: Endpoint, child: BenchChild?, echo: BenchChild?) async throws(ProgramFailure)
        -> Status
    {
        let generator = try makeGenerator(server)
        let echoGenerator = try echo.map { child throws(ProgramFailure) in try makeGenerator(child.endpoint) }
        var report = BenchReport(rounds: options.rounds, seconds: options.seconds)
        for load in options.loads {
            let scripts = try await self.scripts(load, generator)
            var (rounds, echoRounds): ([BenchRound], [BenchRound]) = ([], [])
            for _ in 0..<options.rounds where !Task.isCancelled {
                if let echo, let echoGenerator {
                    echoRounds.append(await run(echoGenerator, scripts.map(\.echoed), echo))
                }
                // Cookies last a minute or two, and rounds may be longer.
                let scripts = load == .signed ? try await self.scripts(load, generator) : scripts
                rounds.append(await run(generator, scripts, child))
            }
            report.add(load, BenchFigures(rounds), echo: echo == nil ? nil : BenchFigures(echoRounds))
        }
        guard !Task.isCancelled else { return .failure }
        writeAll(Array((options.json ? report.json : report.table).utf8) + [0x0A], to: STDOUT_FILENO)
        return report.hasWrongAnswers ? .failure : .ok
    }

    private func makeGenerator(_ endpoint: Endpoint) throws(ProgramFailure) -> LoadGenerator {
        do throws(NetworkError) {
            return try LoadGenerator(
                endpoint, sockets: options.sockets, outstanding: options.outstanding, loop: loop)
        } catch { throw ProgramFailure(.failure, "\(error)") }
    }

    private func run(_ generator: LoadGenerator, _ scripts: [BenchScript], _ child: BenchChild?) async -> BenchRound {
        let before = child?.cpuTime
        var round = await generator.run(scripts, seconds: options.seconds)
        if let child, let before { round.cpu = child.cpuTime &- before }
        return round
    }

    // MARK: Scripts

    private func scripts(_ load: BenchLoad, _ generator: LoadGenerator) async throws(ProgramFailure) -> [BenchScript] {
        switch load {
        case .queries: try await queries(generator)
        case .registrations: registrations()
        case .signed: try await signed(generator)
        }
    }

    private func queries(_ generator: LoadGenerator) async throws(ProgramFailure) -> [BenchScript] {
        var script = BenchScript(requests: [], answers: .newUUID)
        var answers: [[UInt8]] = []
        for number in 0..<Self.peers {
            let address = address(number)
            let request = IndexRequest.registration(.init(address: address)).encoded()
            guard case .registered(let peer, _) = try await ask(request, generator, from: 0) else {
                throw ProgramFailure(.failure, "The server did not register a peer.")
            }
            script.requests.append(IndexRequest.query(.init(text: "\(peer)")).encoded())
            answers.append(IndexReply.answer(address: address, text: "\(peer)", record: nil).encoded())
        }
        script.answers = .exactly(answers)
        return Array(repeating: script, count: options.sockets)
    }

    private func registrations() -> [BenchScript] {
        let requests = (0..<Self.peers).map { IndexRequest.registration(.init(address: address($0))).encoded() }
        return Array(repeating: BenchScript(requests: requests, answers: .newUUID), count: options.sockets)
    }

    /// Each socket registers identities of its own: a record counts only from an address that it lists.
    private func signed(_ generator: LoadGenerator) async throws(ProgramFailure) -> [BenchScript] {
        let perSocket = max(Self.identities / options.sockets, options.outstanding / options.sockets + 1)
        var scripts: [BenchScript] = []
        for lane in 0..<options.sockets {
            let (cookie, seen) = try await proof(generator, lane)
            var (requests, answers): ([[UInt8]], [[UInt8]]) = ([], [])
            for _ in 0..<perSocket {
                let identity = Identity()
                let record = try record(of: identity, at: seen)
                let signed = IndexRequest.Signed(peer: identity.peer, record: record, cookie: cookie)
                requests.append(IndexRequest.registration(.init(address: seen, signed: signed)).encoded())
                answers.append(Array(#"{"status":"OK","uuid":"\#(identity.peer)","token":""#.utf8))
            }
            scripts.append(BenchScript(requests: requests, answers: .beginning(answers)))
        }
        return scripts
    }

    /// A socket's proof of address, and the address.
    private func proof(
        _ generator: LoadGenerator, _ lane: Int
    ) async throws(ProgramFailure) -> (cookie: [UInt8], seen: Endpoint) {
        let identity = Identity()
        let record = try record(of: identity, at: address(lane))
        let request = IndexRequest.registration(
            .init(address: address(lane), signed: .init(peer: identity.peer, record: record)))
        guard case .cookie(let cookie, let seen) = try await ask(request.encoded(), generator, from: lane) else {
            throw ProgramFailure(.failure, "The server gave no cookie.")
        }
        return (cookie, seen)
    }

    private func record(of identity: Identity, at endpoint: Endpoint) throws(ProgramFailure) -> [UInt8] {
        let sequence = UInt64(clamping: Clocks.system.wall().milliseconds)
        do {
            return try PeerRecord(key: identity.key, sequence: sequence, candidates: [Candidate(.reflexive, endpoint)])
                .signed(by: identity)
        } catch { throw ProgramFailure(.failure, "A record could not be signed: \(error)") }
    }

    private func ask(
        _ request: [UInt8], _ generator: LoadGenerator, from lane: Int
    ) async throws(ProgramFailure) -> IndexReply {
        guard let answer = await generator.ask(request, from: lane) else {
            throw ProgramFailure(.indexUnreachable, "The server does not answer.")
        }
        guard let (reply, _) = try? IndexReply.parse(answer) else {
            throw ProgramFailure(.failure, "The server's answer makes no sense.")
        }
        return reply
    }

    /// Addresses for documentation (RFC 5737) that differ from one another.
    private func address(_ number: Int) -> Endpoint {
        Endpoint(address: .v4(0xC000_0200 | UInt32(number % 250 + 1)), port: UInt16(1024 + number % 60_000))
    }
}
