// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc

/// Runs `body` on a thread with a umask, a working directory and file system rights of its own, so that a test can
/// change those while others run.
func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
    let result = Mailbox<Result>()
    Thread.detachNewThread {
        precondition(unshare(CLONE_FS) == 0)
        result.put(body())
    }
    return result.take()
}

/// File system calls of this thread are made as nobody, if they would be root's, whom no mode stops.
func dropFileRights() {
    guard geteuid() == 0 else { return }
    setfsgid(65534)
    setfsuid(65534)
}

/// Mounts a file system of one page at `path`, for this thread alone; it goes with the thread.
/// - Returns: whether the system allows that.
func mountOnePage(at path: String) -> Bool {
    unshare(CLONE_NEWNS) == 0 && mount("none", "/", nil, MS_REC | MS_PRIVATE, nil) == 0
        && mount("tmpfs", path, "tmpfs", 0, "size=4096,mode=0700") == 0
}

private let CLONE_FS: Int32 = 0x200
private let CLONE_NEWNS: Int32 = 0x20000
private let MS_REC: UInt = 0x4000
private let MS_PRIVATE: UInt = 0x40000

// Linux calls that Glibc's Swift module does not show.
private typealias Flags = @convention(c) (Int32) -> Int32
private typealias User = @convention(c) (UInt32) -> Int32
private typealias Mount =
    @convention(c) (
        UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>?, UInt, UnsafePointer<CChar>?
    ) -> Int32

private func unshare(_ flags: Int32) -> Int32 { symbol("unshare", as: Flags.self)(flags) }
private func setfsuid(_ user: UInt32) { _ = symbol("setfsuid", as: User.self)(user) }
private func setfsgid(_ group: UInt32) { _ = symbol("setfsgid", as: User.self)(group) }
private func mount(_ source: String, _ target: String, _ type: String?, _ flags: UInt, _ options: String?) -> Int32 {
    symbol("mount", as: Mount.self)(source, target, type, flags, options)
}

private func symbol<Function>(_ name: String, as: Function.Type) -> Function {
    unsafeBitCast(dlsym(nil, name), to: Function.self)
}

private final class Mailbox<Value: Sendable>: @unchecked Sendable {
    private let full = DispatchSemaphore(value: 0)
    private var value: Value?

    func put(_ value: Value) {
        self.value = value
        full.signal()
    }

    func take() -> Value {
        full.wait()
        guard let value else { preconditionFailure("signalled without a value") }
        return value
    }
}
