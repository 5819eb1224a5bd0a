// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Testing
import Wire

@testable import parley_index

@Suite struct LogTests {
    private func second(_ number: Double) -> Instant { Instant(nanoseconds: UInt64(number * 1e9)) }

    @Test func `a flood gets a thousand lines a second, and one that says how many more`() {
        var sampler = LogSampler()
        var (lines, reports) = (0, [Int]())
        // 200,000 a second, evenly, for three seconds.
        for number in 0..<600_000 {
            let now = second(10 + Double(number) / 200_000)
            if let report = sampler.report(now: now) { reports.append(report) }
            if sampler.admits(now: now) { lines += 1 }
        }
        #expect(lines == 3000)
        #expect(reports == [199_000, 199_000])
        #expect(sampler.report(now: second(12.999)) == nil)
        #expect(sampler.wait(now: second(12.75)) == .milliseconds(250))
        #expect(sampler.report(now: second(13)) == 199_000)
        #expect(sampler.report(now: second(14)) == nil)
        #expect(sampler.wait(now: second(14)) == nil)
    }

    @Test func `a report that comes late is not lost in the next second, and does not wait for it`() {
        var sampler = LogSampler(limit: 1)
        let moments = [1, 1.5, 2, 2.1, 2.2].map(second)
        let admitted = moments.map { sampler.admits(now: $0) }
        #expect(admitted == [true, false, true, false, false])
        #expect(sampler.wait(now: second(2.2)) == .zero)
        #expect(sampler.report(now: second(2.2)) == 1)
        #expect(sampler.wait(now: second(2.25)) == .milliseconds(750))
        #expect(sampler.report(now: second(3)) == 2)
    }

    @Test func `the last report does not wait for its second`() {
        var sampler = LogSampler(limit: 1)
        let admitted = (0..<2).map { _ in sampler.admits(now: second(1)) }
        #expect(admitted == [true, false])
        #expect(sampler.report(now: second(1), isLast: true) == 1)
        #expect(sampler.report(now: second(1), isLast: true) == nil)
    }

    @Test func `a quiet server leaves nothing out`() {
        var sampler = LogSampler(limit: 2)
        let admitted = (0..<100).map { sampler.admits(now: second(Double($0) / 2)) }
        #expect(!admitted.contains(false))
        #expect(sampler.report(now: second(100), isLast: true) == nil)
    }

    @Test func `noise does not take the lines of anything else`() {
        var sampler = LogSampler()
        var (noise, requests) = (0, 0)
        // In one second, a request after each hundred datagrams of noise.
        for number in 0..<101_000 {
            let isNoise = number % 101 < 100
            let isAdmitted = sampler.admits(isNoise: isNoise, now: second(1 + Double(number) / 101_000))
            if isAdmitted, isNoise { noise += 1 } else if isAdmitted { requests += 1 }
        }
        #expect((noise, requests) == (LogSampler.noiseLimit, 1000))
        #expect(sampler.report(now: second(2)) == 100_000 - LogSampler.noiseLimit)
    }

    @Test(arguments: [
        (IndexResult.ignored, true), (.limited, true), (.malformed, false), (.miss, false), (.denied(.full), false),
    ])
    func `noise is what is neither answered nor acted upon`(result: IndexResult, isNoise: Bool) {
        #expect(result.isNoise == isNoise)
    }

    private let time = WallTime(milliseconds: 1_795_356_127_112)

    private func request(
        _ source: String = "203.0.113.9:4000", _ target: IndexTarget = .none, _ result: IndexResult = .hit
    ) throws -> LogLine {
        let source = try #require(Endpoint(source))
        return .request(
            IndexEvent(time: time, operation: .query, source: source, target: target, result: result),
            took: .microseconds(95))
    }

    private func text(_ line: LogLine, _ style: LogLine.Style) -> String {
        String(decoding: line.bytes(style), as: UTF8.self)
    }

    @Test(
        arguments: [
            ("203.0.113.9:4000", "203.0.113.0/24"), ("[2001:db8:1:2:3:4:5:6]:7", "[2001:db8:1::]/48"),
            ("127.0.0.1:5", "127.0.0.1:5"), ("[::1]:5", "[::1]:5"),
        ])
    func `a source is its network, whole at debug`(source: String, cut: String) throws {
        let line = try request(source)
        let bare = cut.filter { $0 != "[" && $0 != "]" || cut.contains("]:") }
        #expect(text(line, .init(format: .json)).contains(#""src":"\#(bare)""#))
        #expect(text(line, .init(format: .text)).contains(" from \(bare) "))
        #expect(text(line, .init(format: .json, level: .debug)).contains(#""src":"\#(source)""#))
    }

    @Test func `a request as JSON`() throws {
        let line = try request("203.0.113.9:4000", .text("no\u{1B}such\u{202E}\n\""), .malformed)
        #expect(
            text(line, .init(format: .json))
                == #"{"ts":"\#(time.rfc3339)","level":"warn","event":"request","src":"203.0.113.0/24","op":"query","#
                + #""text":"no\u001bsuch\u202e\n\"","result":"malformed","dur_us":95}"# + "\n")
    }

    @Test func `a request as text is one printable line`() throws {
        let line = try request("203.0.113.9:4000", .text("no\u{1B}such\u{202E}\n"), .malformed)
        let written = text(line, .init())
        #expect(written.hasPrefix("\(time.rfc3339) warn: query malformed \"no"))
        #expect(written.hasSuffix("from 203.0.113.0/24 95us\n"))
        let strange = written.unicodeScalars.dropLast().filter { $0.value < 0x20 || $0 == "\u{202E}" }
        #expect(strange.isEmpty)
    }

    @Test func `the journal gets the level and no time`() throws {
        #expect(
            text(try request(), .init(isJournal: true)) == "<6>query hit from 203.0.113.0/24 95us\n")
        let notice = LogLine.notice(.error, event: "store", text: "no room\n<0>", at: time)
        #expect(text(notice, .init(isJournal: true)).hasPrefix("<3>no room"))
        #expect(text(notice, .init(isJournal: true)).filter { $0 == "\n" }.count == 1)
    }

    @Test func `a notice as JSON has its figures`() {
        let notice = LogLine.notice(
            .info, event: "left_out", text: "5 more lines left out", fields: ["lines": 5], at: time)
        #expect(
            text(notice, .init(format: .json))
                == #"{"ts":"\#(time.rfc3339)","level":"info","event":"left_out","message":"5 more lines left out","#
                + #""lines":5}"# + "\n")
    }

    @Test(
        arguments: [("error", LogLevel.error), ("warn", .warn), ("info", .info), ("debug", .debug), ("loud", nil)]
            as [(String, LogLevel?)])
    func `levels have names`(name: String, level: LogLevel?) { #expect(LogLevel(name: name) == level) }
}
