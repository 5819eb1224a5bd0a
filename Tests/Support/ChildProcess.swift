// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
public import Model

/// A program with its three standard streams on pipes. What it prints is read at once and kept, line by line.
public final class ChildProcess: Sendable {
    /// A line as it came, without its newline, and the moment it came.
    public struct Line: Sendable {
        public let text: String
        public let moment: Instant
    }

    /// What happened instead of what a test waited for.
    public struct Missing: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    private struct Output {
        var lines: [Line] = []
        var partial: [UInt8] = []
        var ended = false
        var taken = 0

        mutating func append(_ chunk: ArraySlice<UInt8>?, _ moment: Instant) {
            guard let chunk else {
                if !partial.isEmpty { finishLine(moment) }
                ended = true
                return
            }
            var rest = chunk
            while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                partial += rest[..<newline]
                finishLine(moment)
                rest = rest[(newline + 1)...]
            }
            partial += rest
        }

        private mutating func finishLine(_ moment: Instant) {
            lines.append(Line(text: String(decoding: partial, as: UTF8.self), moment: moment))
            partial.removeAll(keepingCapacity: true)
        }
    }

    public let child: Child
    private let name: String
    private let input: Monitor<Descriptor?>
    private let output = Monitor(Output())
    private let errors = Monitor(Output())
    private let readers: [Reader]

    /// Starts a program; `environment` is laid over ``Child/environment``.
    public init(_ arguments: [String], environment: [String: String] = [:], directory: String? = nil) throws {
        let (stdin, feed) = try Descriptor.pipe()
        let (out, stdout) = try Descriptor.pipe()
        let (err, stderr) = try Descriptor.pipe()
        child = try Child(arguments, environment: environment, directory: directory, ownSession: false) { actions in
            posix_spawn_file_actions_adddup2(&actions, stdin.raw, 0)
            posix_spawn_file_actions_adddup2(&actions, stdout.raw, 1)
            posix_spawn_file_actions_adddup2(&actions, stderr.raw, 2)
        }
        feed.neverBlock()
        name = arguments.map { $0.split(separator: "/").last.map(String.init) ?? $0 }.joined(separator: " ")
        input = Monitor(feed)
        readers = try [
            Reader(out) { [output] chunk, moment in output.withLock { $0.append(chunk, moment) } },
            Reader(err) { [errors] chunk, moment in errors.withLock { $0.append(chunk, moment) } },
        ]
    }

    /// Writes text to its standard input.
    public func write(_ text: String) throws {
        guard let feed = input.withLock({ $0 }) else { throw Missing(description: "\(name): input is closed") }
        try feed.write(Array(text.utf8), deadline: .now + .seconds(10))
    }

    /// Writes a line to its standard input.
    public func send(_ line: String) throws { try write(line + "\n") }

    /// Ends its standard input.
    public func closeInput() { input.withLock { $0 = nil } }

    /// The next line of standard output, in order.
    public func nextLine(_ limit: Span = .seconds(10)) throws -> Line {
        try line("a line", limit) { _ in true }
    }

    /// The next line of standard output that fits; those before it are passed over.
    public func line(
        _ what: String, _ limit: Span = .seconds(10), where fits: (String) throws -> Bool
    ) throws -> Line {
        let found: Line?? = try output.wait(until: .now + limit) { output in
            while output.taken < output.lines.count {
                let line = output.lines[output.taken]
                output.taken += 1
                if try fits(line.text) { return .some(line) }
            }
            return output.ended ? .some(nil) : nil
        }
        if case .some(.some(let line)) = found { return line }
        throw Missing(description: "\(name): waited for \(what); \(transcript)")
    }

    /// Every line of standard output so far.
    public var lines: [Line] { output.withLock { $0.lines } }

    /// Every line of standard error so far.
    public var errorLines: [String] { errors.withLock { $0.lines.map(\.text) } }

    /// Waits for a line of standard error that contains a text.
    public func errorLine(containing text: String, _ limit: Span = .seconds(10)) throws -> String {
        let found: String? = errors.wait(until: .now + limit) { errors in
            errors.lines.first { $0.text.contains(text) }?.text
        }
        guard let found else { throw Missing(description: "\(name): no “\(text)” on standard error; \(transcript)") }
        return found
    }

    /// Waits for the end of the program and of both its streams.
    public func wait(_ limit: Span = .seconds(10)) -> Termination? {
        let deadline = Instant.now + limit
        guard let status = child.wait(limit) else { return nil }
        for stream in [output, errors] { _ = stream.wait(until: deadline) { $0.ended ? true : nil } }
        return status
    }

    /// The ends of both streams, for a failure's message.
    public var transcript: String {
        let out = lines.suffix(20).map(\.text), err = errorLines.suffix(20)
        let end = child.wait(.zero).map { "\($0)" } ?? "still running"
        return "\(end)\n  out: " + out.joined(separator: "\n       ") + "\n  err: " + err.joined(separator: "\n       ")
    }

    /// What a program that ran to its end left behind.
    public struct Result: Sendable {
        public let status: Termination?
        public let out: String
        public let err: String
    }

    /// Runs a program to its end.
    public static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:], limit: Span = .seconds(30)
    ) throws -> Result {
        let process = try ChildProcess(arguments, environment: environment)
        if !input.isEmpty { try process.write(input) }
        process.closeInput()
        let status = process.wait(limit)
        return Result(
            status: status,
            out: process.lines.map { $0.text + "\n" }.joined(),
            err: process.errorLines.map { $0 + "\n" }.joined())
    }
}
