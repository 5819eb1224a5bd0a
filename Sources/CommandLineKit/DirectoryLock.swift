// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Queues

/// Says that this process alone uses a directory: a lock of the system on `lock` in it, which ends with its holder,
/// however that ends.
/// - Parameters:
///   - program: who holds it, for the next one that comes: `parley chat`.
///   - option: the command line's for another directory.
/// - Returns: the descriptor that holds the lock.
/// - Throws: who uses it already, or why it can't be used.
@discardableResult
public func lockDirectory(
    _ directory: String, for program: String, option: String
) throws(ProgramFailure) -> Int32 {
    let descriptor = open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
        let reason = systemReason(errno)
        throw ProgramFailure(
            .failure,
            "\(directory) can't be used (\(reason)): it must be writable; mend that, or name another \(option).")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let name = holder(descriptor)
        close(descriptor)
        throw ProgramFailure(.failure, "\(name) uses \(directory) already; stop it, or use another \(option).")
    }
    let note = Array("\(program) (process \(getpid()))".utf8)
    ftruncate(descriptor, 0)
    pwrite(descriptor, note, note.count, 0)
    return descriptor
}

/// Who uses a directory right now: `parley-index (process 7)`; `nil` for nobody, or where that can't be seen.
public func directoryHolder(_ directory: String) -> String? {
    let descriptor = open(directory + "/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK ? nil : holder(descriptor)
}

/// Who wrote itself down as the lock's holder.
private func holder(_ descriptor: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : "Another program"
}
