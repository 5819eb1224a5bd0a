// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import TerminalKit
import Testing

extension EndToEnd {
    /// A message is on the screen at once, however many come and whatever the user does.
    @Suite(.timeLimit(.minutes(4))) struct StallTests {
        /// A chat at a terminal and a sender on a pipe that know each other.
        private struct Stage {
            let site: IndexSite
            let server: ChildProcess
            let chat: Terminal
            /// The chat's control socket: what `parley send` uses.
            let door: LineSocket
            let sender: Pipe

            init(_ size: Size) throws {
                site = try IndexSite()
                server = try site.startHeadless()
                let (alice, bob) = (try User("alice", index: site.address), try User("bob", index: site.address))
                chat = try alice.chat(size)
                try chat.wait(for: "index ok")
                sender = try Pipe(bob)
                try sender.waitForIndex()
                try sender.command("add", ["peer": try alice.uuid(), "name": "alice"])
                try chat.type("/add \(sender.uuid) bob<enter>")
                try sender.command("send", ["to": "alice", "text": "first of all"])
                try chat.wait(for: "first of all")
                door = try LineSocket(alice.home.file("control.sock"))
            }

            /// Numbered messages to the chat at a steady rate; each carries the moment at which it was handed over.
            func send(_ count: Int, perSecond rate: Int) throws {
                try paced(count, perSecond: rate) { number in
                    try sender.command("send", ["to": "alice", "text": Sightings.stamp(number)])
                }
            }

            /// Numbered messages from the chat, handed to it from outside.
            func answer(_ count: Int, perSecond rate: Int) throws {
                try paced(count, perSecond: rate) { number in
                    try door.send(#"{"command":"send","to":"bob","text":"answer \#(number)","tag":"\#(number)"}"#)
                }
            }

            private func paced(_ count: Int, perSecond rate: Int, _ send: (Int) throws -> Void) throws {
                let start = Instant.now
                for number in 0..<count {
                    // In steps of ten milliseconds, or the sender's own waking would be the load.
                    if number % max(1, rate / 100) == 0 {
                        pause(until: start + .microseconds(number * 1_000_000 / rate))
                    }
                    try send(number)
                }
            }
        }

        /// What else the machine does only adds to a time: the best of at most five runs counts, each without what a
        /// thread that did nothing but sleep was kept waiting at the same time. A machine that does all things so many
        /// times slower is given so many times fewer of them, and so many times longer.
        private func bestOfFive(
            below limit: Span = StallTests.limit, _ measure: (_ slowdown: Double) throws -> Span
        ) rethrows -> Span {
            func once() throws -> Span {
                let (before, sleeper) = (slowdown(), Sleeper())
                defer { sleeper.stop() }
                let (span, late) = (try measure(before), percentile(sleeper.lateness, 99))
                let factor = max(before, sleeper.slowdown)
                print("a sleeper was late by p99 \((late.milliseconds * 100).rounded() / 100) ms, work \(factor) times")
                return span < late ? .zero : (span - late) / factor
            }
            var best = try once()
            for _ in 0..<4 where best >= limit { best = min(best, try once()) }
            return best
        }

        private static let limit = Span.milliseconds(20)
        /// While two cores do nothing but deal with 10,000 messages a second, this test's terminal among them.
        private static let burstLimit = Span.milliseconds(40)

        @Test func `from sending to the drawn frame: below 20 ms at 200 messages a second`() throws {
            #expect(try bestOfFive { try drawnFrame($0) } < StallTests.limit)
        }

        private func drawnFrame(_ slowdown: Double) throws -> Span {
            let stage = try Stage(Size(columns: 120, rows: 36))
            let sightings = Sightings()
            stage.chat.observe { screen, moment in sightings.look(screen, moment) }
            try stage.send(2000, perSecond: Int(200 / slowdown))
            try stage.chat.wait(for: "#001999@")
            stage.chat.observe(nil)
            let spans = sightings.latencies
            report("send to drawn frame", spans)
            // One that was never seen had left the screen before it was drawn.
            let missed = Array(repeating: Span.seconds(1), count: max(0, 2000 - spans.count))
            return percentile(spans + missed, 99)
        }

        @Test func `10,000 at 5,000 a second each way are shown whole and in order while the user types`() throws {
            #expect(try bestOfFive(below: StallTests.burstLimit) { try burst($0) } < StallTests.burstLimit)
        }

        private func burst(_ slowdown: Double) throws -> Span {
            let stage = try Stage(Size(columns: 120, rows: 36))
            let sightings = Sightings()
            stage.chat.observe { screen, moment in sightings.look(screen, moment) }
            let rate = Int(5000 / slowdown)
            Thread.detachNewThread { try? stage.send(10_000, perSecond: rate) }
            Thread.detachNewThread { try? stage.answer(10_000, perSecond: rate) }

            // While it runs the user types four lines, each in an alphabet that nothing else on the screen uses.
            for alphabet in [0x3B1..<0x3CA, 0x430..<0x450, 0x561..<0x587, 0x10D0..<0x10D7] as [Range<UInt32>] {
                var typed = ""
                for letter in alphabet.compactMap(Unicode.Scalar.init) {
                    typed.unicodeScalars.append(letter)
                    let start = Instant.now
                    sightings.expect(typed, after: start)
                    try stage.chat.type(KeyScript(String(letter)))
                    pause(until: start + StallTests.limit * slowdown)
                }
                try stage.chat.type("<enter>")
            }
            try stage.chat.wait(for: "#009999@", .seconds(60))
            stage.chat.observe(nil)

            let last = try #require(sightings.latency(of: 9999))
            #expect(sightings.disorder == [], "numbers on one screen that do not follow each other")
            let echoes = sightings.echoes
            report("key to echo during the burst", echoes)
            try stage.sender.event("message") { $0["text"]?.string == "answer 9999" }
            let answers = try stage.sender.events("message").compactMap { $0["text"]?.string }
                .filter { $0.hasPrefix("answer ") }
            #expect(answers == (0..<10_000).map { "answer \($0)" }, "\(answers.count) answers came")
            #expect(stage.door.lines.filter { $0.contains(#""error""#) } == [])
            try expectWholeLog(stage.chat)
            // What had left the screen before it was seen, as the end of a line does.
            let missed = Array(repeating: Span.seconds(1), count: max(0, 102 - echoes.count))
            print("the last message took \(Int(last.milliseconds)) ms")
            // What piled up would count as a stall, too.
            return last < .seconds(1) * slowdown ? percentile(echoes + missed, 99) : last
        }

        /// Pages through the whole log: every number is there, each once, in order, but for the first few, which made
        /// room for the lines that were typed.
        private func expectWholeLog(_ chat: Terminal) throws {
            var seen = IndexSet()
            var screen = chat.screen
            while true {
                let numbers = Sightings.numbers(Array(screen.lines.joined(separator: "\n").utf8)).map(\.number)
                #expect(numbers == numbers.sorted())
                numbers.forEach { seen.insert($0) }
                // A page holds the first lines of the one before at its end; while it is drawn, they are nowhere.
                let first = entries(of: screen).first
                try chat.type("<pgup>")
                let earlier = try? chat.wait(.seconds(2), for: "an earlier page") { screen in
                    let entries = entries(of: screen)
                    return entries.first != first && entries.contains { $0 == first }
                }
                guard let earlier else { break }
                screen = earlier
            }
            #expect(seen.last == 9999 && seen.count >= 9_990, "\(seen.count) of 10,000 are in the log")
            let ranges = seen.rangeView.map { "\($0.lowerBound)..<\($0.upperBound)" }
            #expect(ranges.count == 1, "gaps between \(ranges)")
        }

        /// What each line says that came or went, from top to bottom.
        private func entries(of screen: ScreenText) -> [String] {
            screen.lines.compactMap { $0.firstMatch(of: /#\d{6}@\d{16}|answer \d+/).map { String($0.0) } }
        }

        private func percentile(_ spans: [Span], _ percent: Int) -> Span {
            let sorted = spans.sorted()
            return sorted.isEmpty ? .zero : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
        }

        private func report(_ what: String, _ spans: [Span]) {
            let figures = [50, 90, 95, 99, 100].map {
                "p\($0) \((percentile(spans, $0).milliseconds * 100).rounded() / 100) ms"
            }
            print("\(what): \(figures.joined(separator: ", ")) of \(spans.count)")
        }
    }
}

private func - (left: Span, right: Span) -> Span { Span(nanoseconds: left.nanoseconds - right.nanoseconds) }
private func * (span: Span, factor: Double) -> Span { Span(nanoseconds: UInt64(Double(span.nanoseconds) * factor)) }
private func / (span: Span, factor: Double) -> Span { span * (1 / factor) }

/// A thread that wakes every two milliseconds and notes how late the machine let it, and one that works now and then
/// and notes how long it took.
private final class Sleeper: @unchecked Sendable {
    private let lock = NSLock()
    private var spans: [Span] = []
    private var slowdowns: [Double] = []
    private var isStopped = false

    init() {
        Thread.detachNewThread { [self] in
            while !lock.withLock({ isStopped }) {
                pause(until: .now + .milliseconds(500))
                let factor = Support.slowdown()
                lock.withLock { slowdowns.append(factor) }
            }
        }
        Thread.detachNewThread { [self] in
            while !lock.withLock({ isStopped }) {
                let due = Instant.now + .milliseconds(2)
                pause(until: due)
                let late = Instant.now.since(due)
                lock.withLock { spans.append(late) }
            }
        }
    }

    func stop() { lock.withLock { isStopped = true } }
    var lateness: [Span] { lock.withLock { spans } }
    /// On average; 0 before anything was measured.
    var slowdown: Double { lock.withLock { slowdowns.reduce(0, +) / Double(max(1, slowdowns.count)) } }
}

/// When each numbered message, and each text typed, was first on the screen. Used from the terminal's reading thread.
private final class Sightings: @unchecked Sendable {
    private let lock = NSLock()
    private var first: [Int: Span] = [:]
    private var awaited: [(text: [UInt8], since: Instant)] = []
    private var echoSpans: [Span] = []
    private var unordered: [[Int]] = []

    /// `#000123@81234567890123`: the number and the moment of sending.
    static func stamp(_ number: Int) -> String {
        "#\(fixed(number, 6))@\(fixed(Int(Instant.now.nanoseconds), 16))"
    }

    private static func fixed(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The stamps on a screen, from top to bottom.
    static func numbers(_ screen: [UInt8]) -> [(number: Int, sent: Instant)] {
        var found: [(Int, Instant)] = []
        var rest = screen[...]
        while let hash = rest.firstIndex(of: UInt8(ascii: "#")) {
            rest = rest[(hash + 1)...]
            let stamp = rest.prefix(23)
            guard stamp.count == 23, stamp[stamp.startIndex + 6] == UInt8(ascii: "@") else { continue }
            guard let number = Int(String(decoding: stamp.prefix(6), as: UTF8.self)),
                let sent = UInt64(String(decoding: stamp.dropFirst(7), as: UTF8.self))
            else { continue }
            found.append((number, Instant(nanoseconds: sent)))
        }
        return found
    }

    func look(_ screen: [UInt8], _ moment: Instant) {
        let stamps = Sightings.numbers(screen)
        lock.withLock {
            for stamp in stamps where first[stamp.number] == nil { first[stamp.number] = moment.since(stamp.sent) }
            let numbers = stamps.map(\.number)
            if zip(numbers, numbers.dropFirst()).contains(where: { $1 != $0 + 1 }) { unordered.append(numbers) }
            // What was typed since then stands behind it.
            awaited.removeAll { text, since in
                guard contains(screen, text) else { return false }
                echoSpans.append(moment.since(since))
                return true
            }
        }
    }

    /// From now on looks out for a text, too, that was typed at a moment.
    func expect(_ text: String, after moment: Instant) {
        lock.withLock { awaited.append((Array(text.utf8), moment)) }
    }

    var latencies: [Span] { lock.withLock { Array(first.values) } }
    func latency(of number: Int) -> Span? { lock.withLock { first[number] } }
    var echoes: [Span] { lock.withLock { echoSpans } }
    /// Screens, at most three, whose numbers did not follow each other.
    var disorder: [[Int]] { lock.withLock { Array(unordered.prefix(3)) } }
}
