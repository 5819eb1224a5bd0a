// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Testing

/// What a thread can have for itself alone.
enum OwnPart: Int32 {
    case files = 0x400
    case network = 0x4000_0000
}

/// unshare(2), which Swift's Glibc module does not show: the calling thread gets its own copy.
func unshare(_ part: OwnPart) {
    typealias Call = @convention(c) (Int32) -> Int32
    guard let symbol = dlsym(nil, "unshare") else {
        Issue.record("no unshare")
        return
    }
    #expect(unsafeBitCast(symbol, to: Call.self)(part.rawValue) == 0)
}

/// A thread that resumes no task: with a part of its own, what a thread of the pool inherited from it would be astray.
func onThread(_ body: @escaping @Sendable () -> Void) { Thread.detachNewThread(body) }

/// Opens the calling thread's descriptors until there are no more.
func takeAllDescriptors() -> [Int32] {
    var taken: [Int32] = []
    while case let descriptor = dup(2), descriptor >= 0 { taken.append(descriptor) }
    return taken
}

/// Switches the loopback interface of the calling thread's network.
func setLoopback(isUp: Bool) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    // struct ifreq: sixteen octets of name, then the flags.
    var request = [UInt8](repeating: 0, count: 40)
    request.replaceSubrange(0..<2, with: Array("lo".utf8))
    request[16] = isUp ? 0x41 : 0
    #expect(ioctl(descriptor, 0x8914, &request) == 0)
}

/// Descriptors that the process has open.
func openDescriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}

/// A semaphore between a test and a loop's thread that it holds up.
final class Gate: @unchecked Sendable {
    private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    init() { sem_init(raw, 0, 0) }
    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }
    func signal() { sem_post(raw) }
    func wait() { while sem_wait(raw) != 0 {} }
}
