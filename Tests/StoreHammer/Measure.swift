// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Glibc
import Model
import PeerEngine

private func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Resident memory of this process in KiB, without pages of files.
private func residentAnonymous() -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if text.hasPrefix("RssAnon:") { return Int(text.filter(\.isNumber)) ?? 0 }
    }
    return 0
}

private let words = ["kettle", "swift", "datagram", "привет", "meeting", "tomorrow", "lunch", "file", "hole", "punch"]

/// Twelve words, one of them in every message, one in every hundred-thousandth.
private func text(_ number: UInt64) -> String {
    let body = (0..<10).map { words[Int((number &* 7 &+ $0 &* $0 &+ number / 13) % 10)] + "\(number % 977)" }
    return "hello " + body.joined(separator: " ") + (number % 100_000 == 77_777 ? " needle" : " tomorrow")
}

private func message(_ number: UInt64, peers: UInt64) -> Message {
    Message(
        id: MessageID(random: number &* 0x9E37_79B9_7F4A_7C15, number),
        peer: PeerID(high: 5, low: number % peers).stamped(version: 8), direction: .incoming, text: text(number),
        created: nil, received: WallTime(milliseconds: Int64(number)), state: .delivered, secure: true,
        counter: number)
}

private func timed(_ what: String, rounds: Int = 20, _ body: () throws -> Int) rethrows {
    var times: [Double] = []
    var count = 0
    for _ in 0..<rounds {
        let start = seconds()
        count = try body()
        times.append((seconds() - start) * 1000)
    }
    times.sort()
    let first = Int(times[rounds / 2] * 1000), worst = Int((times.last ?? 0) * 1000)
    print("\(what): \(count) rows, p50 \(first) us, max \(worst) us")
}

/// Prints what the store costs with so many messages of so many peers. The path must be new.
func measure(_ path: String, messages: Int, chatty: Int) async throws {
    let peers = UInt64(max(1, chatty))
    var number: UInt64 = 0
    do {
        let store = try ChatStore(path: path)
        print("empty: RssAnon \(residentAnonymous()) KiB")
        for size in [1, 32, 256] {
            let rounds = 2048 / size
            let start = seconds()
            for _ in 0..<rounds {
                let group = (0..<UInt64(size)).map { StoreChange.receive(message(number + $0, peers: peers)) }
                _ = try await store.commit(group)
                number += UInt64(size)
            }
            let took = seconds() - start
            print(
                "\(size) a commit: \(Int(Double(rounds * size) / took)) messages/s, \(Int(took / Double(rounds) * 1e6)) us"
            )
        }
        for index in 0..<peers {
            let peer = PeerID(high: 5, low: index).stamped(version: 8)
            _ = try await store.commit([.contact(Contact(peer: peer, name: "peer \(index)", accepted: true))])
        }
        let start = seconds()
        while number < messages {
            let count = min(2048, UInt64(messages) - number)
            _ = try await store.commit((0..<count).map { .receive(message(number + $0, peers: peers)) })
            number += count
        }
        print("filled to \(number) in \(Int(seconds() - start)) s")
        store.close()
    }
}

/// Prints what opening and reading a filled store costs.
func look(_ path: String) throws {
    let start = seconds()
    let store = try ChatStore(path: path)
    let opened = seconds()
    let state = try store.load()
    let peer = PeerID(high: 5, low: 0).stamped(version: 8)
    _ = try store.page(with: peer, limit: 100)
    print("open \(Int((opened - start) * 1e6)) us, load and first page \(Int((seconds() - opened) * 1e6)) us")
    print("\(state.contacts.count) contacts: RssAnon \(residentAnonymous()) KiB")
    for query in [
        "needle", "hello", "hello ", "tomorrow ", "tomorrow", "tomorr", "he", "meeting1 lunch7", "kettle12", "привет",
        "needl", "needle hel", "kettle12 tom", "meeting1 lunch7 tom",
    ] {
        try timed("search \(query)") { try store.search(query, limit: 20).count }
        try timed("search \(query) with one peer") { try store.search(query, with: peer, limit: 20).count }
    }
    try timed("newest page of 100") { try store.page(with: peer, limit: 100).count }
    try timed("page of 100 in the middle") { try store.page(with: peer, before: 5000, limit: 100).count }
    try timed("summaries", rounds: 5) { try store.summaries().count }
    print("after reading: RssAnon \(residentAnonymous()) KiB")
    store.close()
}
