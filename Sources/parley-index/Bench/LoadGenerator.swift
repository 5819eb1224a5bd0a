// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import CommandLineKit
import Glibc
import Model
import Queues
import Reactor

/// A closed loop of requests on one thread: each answer, once checked, makes room for the next request.
final class LoadGenerator {
    private let lanes: [LoadLane]
    private var descriptors: [pollfd]

    private static let second: UInt64 = 1_000_000_000
    private static let patience = 5 * second

    /// - Parameter outstanding: requests under way at a time, shared out among the sockets.
    init(_ server: Endpoint, isStream: Bool = false, sockets: Int, outstanding: Int) throws(ProgramFailure) {
        var lanes: [LoadLane] = []
        for index in 0..<sockets {
            let window = outstanding / sockets + (index < outstanding % sockets ? 1 : 0)
            guard let lane = LoadLane(server, isStream: isStream, window: window) else {
                throw ProgramFailure(
                    .indexUnreachable, "No connection to \(server): \(systemReason(errno)).")
            }
            lanes.append(lane)
        }
        self.lanes = lanes
        descriptors = lanes.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    }

    /// How many sockets there are, and where one of them is bound.
    var count: Int { lanes.count }
    func local(_ lane: Int) -> Endpoint? { lanes[lane].local }

    /// Sends a request from one of the sockets; `nil` when nothing comes back within six seconds, or
    /// the task is cancelled.
    func ask(_ request: [UInt8], from lane: Int = 0) -> [UInt8]? { Task.isCancelled ? nil : lanes[lane].ask(request) }

    /// Sends what the scripts say, one script a socket, then waits for the last answers: until five seconds go by
    /// without any.
    /// - Parameters:
    ///   - seconds: the length of the round, which ends earlier when a script does; `nil`: until all scripts did.
    ///   - pause: nanoseconds between an answer and the socket's next request.
    func run(_ scripts: [BenchScript], seconds: Int?, pause: UInt64 = 0) -> BenchRound {
        var round = BenchRound()
        round.latencies.reserveCapacity(300_000 * min(60, seconds ?? 1))
        let (began, ownBegan) = (PollExecutor.now(), threadTime())
        var end = seconds.map { began + UInt64($0) * Self.second } ?? .max
        var (swept, heard, answers) = (began, began, 0)
        for (lane, script) in zip(lanes, scripts) {
            lane.begin(script, pause: pause)
            lane.fill(began)
        }
        while !Task.isCancelled {
            wait(pause)
            turn(end, &round, isPaced: pause > 0)
            let now = PollExecutor.now()
            if seconds != nil, now < end, lanes.contains(where: \.isExhausted) { end = now }
            if now > swept + Self.second / 10 {
                sweep(now, end, &round)
                (swept, heard) = (now, round.answers > answers ? now : heard)
                answers = round.answers
            }
            let isOver = now >= end || lanes.allSatisfy(\.isExhausted)
            if isOver && lanes.allSatisfy(\.isQuiet) || now > heard + Self.patience { break }
        }
        for lane in lanes { lane.giveUp(sentBefore: .max, &round) }
        round.seconds = Double(min(end, PollExecutor.now()) - began) / Double(Self.second)
        round.ownCPU = threadTime() - ownBegan
        return round
    }

    /// Takes the answers that are there, and sends as many requests.
    private func turn(_ end: UInt64, _ round: inout BenchRound, isPaced: Bool) {
        for (index, lane) in lanes.enumerated() where descriptors[index].revents != 0 || isPaced {
            let now = PollExecutor.now()
            lane.receive(now, &round, counts: now <= end)
            if now < end { lane.fill(now) }
        }
    }

    /// Sleeps until an answer is there or, between paced requests, for a moment.
    private func wait(_ pause: UInt64) {
        let limit = pause > 0 ? min(pause / 4, Self.second / 100) : Self.second / 100
        cp_poll(&descriptors, descriptors.count, Int64(limit))
    }

    /// Gives up what has waited for a second or, when it is too late for more requests, for three.
    private func sweep(_ now: UInt64, _ end: UInt64, _ round: inout BenchRound) {
        for lane in lanes {
            lane.giveUp(sentBefore: now - (now < end ? 1 : 3) * Self.second, &round)
            if now < end { lane.fill(now) }
        }
    }
}

/// CPU time of the calling thread in nanoseconds.
func threadTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
