// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Network
import Queues
import Reactor
import Support
import Testing

/// A server that echoes lines, and clients of it, all on one loop.
private final class Echo: Sendable {
    let thread: LoopThread
    let path: String
    private let listener: ControlListener

    init(_ path: String) async throws {
        let thread = try LoopThread()
        self.thread = thread
        self.path = path
        listener = try await thread.run { loop in
            let listener = try ControlListener(path: path, loop: loop)
            listener.onConnect = { [unowned listener] connection in
                connection.onLine = { [unowned connection] line in connection.send(line) }
                connection.onClose = { [unowned connection] in listener.remove(connection) }
            }
            return listener
        }
    }

    func connect() async throws -> Caller { try await Caller(path, thread) }
    func close() async { await thread.run { [listener] _ in listener.close() } }
}

/// One connection and what came of it; `nil` is its end.
private final class Caller: Sendable {
    let inbox = Inbox<[UInt8]?>()
    private let connection: LineConnection
    private let thread: LoopThread

    init(_ path: String, _ thread: LoopThread) async throws {
        self.thread = thread
        let inbox = inbox
        connection = try await thread.run { loop in
            let connection = try ControlSocket.connect(to: path, loop: loop)
            connection.onLine = { inbox.put([$0]) }
            connection.onClose = { inbox.put([nil]) }
            return connection
        }
    }

    func send(_ line: [UInt8]) async { await thread.run { [connection] _ in connection.send(line) } }
    func finish() async { await thread.run { [connection] _ in connection.finish() } }
    func close() async { await thread.run { [connection] _ in connection.close() } }
}

/// A blocking socket of the test's own, to do what no caller of ours would.
private func rawConnect(_ path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    #expect(result == 0)
    return descriptor
}

@Suite(.timeLimit(.minutes(1))) struct ControlSocketTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("control.sock") }

    init() throws { directory = try TemporaryDirectory() }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `lines go both ways, and only the user may use the socket`() async throws {
        let echo = try await Echo(path)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let caller = try await echo.connect()
        for line in ["one", "", "three"] { await caller.send(bytes(line)) }
        #expect(await caller.inbox.take(3) == [bytes("one"), [], bytes("three")])
        await echo.close()
        #expect(await caller.inbox.take(1) == [nil])
        #expect(stat(path, &status) != 0, "it is gone with its listener")
        await caller.close()
    }

    @Test func `a socket that nobody listens at is replaced, one in use is not`() async throws {
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(stale)
        let echo = try await Echo(path)
        await #expect(throws: NetworkError.self) { try await Echo(path) }
        let caller = try await echo.connect()
        await caller.send(bytes("still here"))
        #expect(await caller.inbox.take(1) == [bytes("still here")])
        await caller.close()
        await echo.close()
    }

    @Test func `a file that is no socket is left alone`() async throws {
        let path = path
        func writeFile() {
            let file = open(path, O_WRONLY | O_CREAT, 0o600)
            #expect(write(file, "mine", 4) == 4)
            close(file)
        }
        func size() -> Int? {
            var status = stat()
            return lstat(path, &status) == 0 ? Int(status.st_size) : nil
        }
        writeFile()
        let error = await #expect(throws: NetworkError.self) { try await Echo(path) }
        #expect(error?.description.contains("\(path) is no socket") == true)
        #expect(size() == 4)
        #expect(unlink(path) == 0)
        let echo = try await Echo(path)
        #expect(unlink(path) == 0)
        writeFile()
        await echo.close()
        #expect(size() == 4, "nor is one that took the socket's place")
    }

    @Test func `nobody there is an error in words`() async throws {
        let thread = try LoopThread()
        let error = await #expect(throws: NetworkError.self) { _ = try await Caller(path, thread) }
        #expect(error?.description.contains(path) == true)
        let missing = directory.file("no/such/place.sock")
        let other = await #expect(throws: NetworkError.self) { _ = try await Caller(missing, thread) }
        #expect(other?.description.contains("no/such") == true)
    }

    @Test func `no directory is too long for it`() async throws {
        var long = directory.path
        for _ in 0..<10 {
            long += "/" + String(repeating: "d", count: 40)
            #expect(mkdir(long, 0o700) == 0)
        }
        let echo = try await Echo(long + "/control.sock")
        let caller = try await echo.connect()
        await caller.send(bytes("far down"))
        #expect(await caller.inbox.take(1) == [bytes("far down")])
        await caller.close()
        await echo.close()
    }

    @Test(arguments: [LineConnection.lineLimit, LineConnection.lineLimit + 1])
    func `a line may be as long as the limit and not a byte longer`(length: Int) async throws {
        let echo = try await Echo(path)
        let caller = try await echo.connect()
        let line = [UInt8](repeating: 0x78, count: length)
        await caller.send(line)
        #expect(await caller.inbox.take(1) == [length > LineConnection.lineLimit ? nil : line])
        await caller.close()
        await echo.close()
    }

    @Test func `a line without an end is cut off`() async throws {
        let echo = try await Echo(path)
        let raw = rawConnect(path)
        defer { close(raw) }
        let piece = [UInt8](repeating: 0x78, count: 64 * 1024)
        var sent = 0
        while sent <= 64 * LineConnection.lineLimit {
            let count = send(raw, piece, piece.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { break }
            sent += count
        }
        #expect(sent < 8 * LineConnection.lineLimit, "the other side hung up")
        await echo.close()
    }

    @Test func `whoever does not read is let go at the backlog's limit`() async throws {
        let echo = try await Echo(path)
        let raw = rawConnect(path)
        defer { close(raw) }
        let line = [UInt8](repeating: 0x78, count: 64 * 1024 - 1) + [0x0A]
        var sent = 0
        while sent < 8 * LineConnection.backlogLimit {
            let count = send(raw, line, line.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { break }
            sent += count
        }
        #expect(sent >= LineConnection.backlogLimit / 2 && sent < 4 * LineConnection.backlogLimit)
        await echo.close()
    }

    @Test func `as many callers as allowed are served, a further one is turned away`() async throws {
        let echo = try await Echo(path)
        var callers: [Caller] = []
        for _ in 0..<ControlListener.connectionLimit { callers.append(try await echo.connect()) }
        for round in 0..<10 {
            for (number, caller) in callers.enumerated() { await caller.send(bytes("\(number) \(round)")) }
        }
        for (number, caller) in callers.enumerated() {
            #expect(await caller.inbox.take(10) == (0..<10).map { bytes("\(number) \($0)") })
        }
        let late = try await echo.connect()
        #expect(await late.inbox.take(1) == [nil])
        await callers.removeFirst().finish()
        // There is room again once the server has seen the end.
        while true {
            let next = try await echo.connect()
            await next.send(bytes("room?"))
            if await next.inbox.take(1) == [bytes("room?")] {
                await next.close()
                break
            }
        }
        for caller in callers { await caller.close() }
        await echo.close()
    }
}
