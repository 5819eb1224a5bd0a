// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model
import Reactor

/// Sends junk at a steady rate, a few datagrams at a time, from sockets by turns.
struct Flooder {
    private let sockets: [Int32]
    private let junk: PackedBytes

    private static let batch = 10

    init?(_ server: Endpoint, using generator: inout some RandomNumberGenerator) {
        sockets = (0..<16).map { _ in connectedSocket(server, SOCK_DGRAM) }
        guard !sockets.contains(-1) else { return nil }
        junk = PackedBytes((0..<1000).map { _ in makeJunk(using: &generator) })
    }

    /// - Returns: datagrams that went out a second.
    func run(rate: Int, seconds: Int) -> Double {
        cp_sleep_precisely()
        let began = PollExecutor.now()
        let end = began + UInt64(seconds) * 1_000_000_000
        let gap = Double(Self.batch) / Double(rate) * 1e9
        var (turn, sent) = (0, 0)
        while true {
            let now = PollExecutor.now()
            guard now < end else { return Double(sent) / Double(now - began) * 1e9 }
            let due = began + UInt64(Double(turn) * gap)
            if now < due {
                var wait = timespec(tv_sec: 0, tv_nsec: Int(min(due - now, 999_999_999)))
                nanosleep(&wait, nil)
            } else {
                sent += send(turn)
                turn += 1
            }
        }
    }

    private func send(_ turn: Int) -> Int {
        var vectors = (0..<Self.batch).map { index in
            let bytes = junk[(turn * Self.batch + index) % junk.count]
            return iovec(iov_base: .init(mutating: bytes.baseAddress), iov_len: bytes.count)
        }
        let socket = sockets[turn % sockets.count]
        // What the server may answer is read by nobody; errors of earlier datagrams are cleared by the next call.
        return max(0, Int(cp_load_send(socket, &vectors, Int32(Self.batch))))
    }
}

/// Noise, broken JSON, JSON without a request, requests with something missing, and queries for nobody.
private func makeJunk(using generator: inout some RandomNumberGenerator) -> [UInt8] {
    let number = UInt64.random(in: 0 ... .max, using: &generator)
    switch number % 8 {
    case 0, 1, 2:
        return (0..<Int.random(in: 1...600, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }
    case 3: return Array(#"{"req_type":"query","queried_uuid":"\#(number)"#.utf8)
    case 4: return Array(String(repeating: "[", count: Int(number >> 8 % 900) + 1).utf8)
    case 5: return Array(#"{"src_uuid":"\#(number)","data":"text"}"#.utf8)
    case 6: return Array(#"{"req_type":"registration","addr":"\#(number)"}"#.utf8)
    default: return Array(#"{"req_type":"no such request","n":\#(number)}"#.utf8)
    }
}
