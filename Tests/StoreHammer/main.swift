// SPDX-License-Identifier: GPL-3.0-or-later
// A program that tests start and kill: it commits numbered groups and prints a group's number once it is on disk.
import ChatStore
import Glibc
import Model
import PeerEngine

let arguments = CommandLine.arguments
guard arguments.count == 5, let first = UInt64(arguments[3]), let count = UInt64(arguments[4]) else {
    print("usage: StoreHammer commit|limited|patient|nobody|measure|look PATH FIRST COUNT")
    exit(2)
}

/// One line, at once.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(1, bytes, bytes.count)
}

/// Lets no file of this process grow beyond so many octets.
func limitFiles(to octets: rlim_t) {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: octets, rlim_max: .max)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
}

if arguments[1] == "measure" {
    try await measure(arguments[2], messages: Int(first), chatty: Int(count))
    exit(0)
}
if arguments[1] == "look" {
    try look(arguments[2])
    exit(0)
}

do {
    if arguments[1] == "nobody" {
        guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(3) }
    }
    let store = try ChatStore(path: arguments[2])
    store.notices.forEach(say)
    if arguments[1] == "limited" { limitFiles(to: 400_000) }
    var insisted = false
    var number = first
    while number < first + count {
        do throws(StoreError) {
            let effects = try await store.commit(HammerGroup.changes(number))
            guard effects.allSatisfy({ $0 }) else { exit(4) }
            say("\(number)")
            number += 1
        } catch {
            say("refused \(number) \(error.mayPass) \(error)")
            if arguments[1] == "patient", error.mayPass, readLine() != nil { continue }
            // Once more, whatever was said: a refusal for good must hold.
            guard !insisted else { exit(5) }
            insisted = true
            guard arguments[1] == "limited", error.mayPass else { continue }
            limitFiles(to: .max)
        }
    }
    store.close()
    say("done")
} catch {
    say("error \(error)")
    exit(1)
}
