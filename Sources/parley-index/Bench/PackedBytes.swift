// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// Byte strings end to end in memory that does not move, so that system calls can point into it.
final class PackedBytes {
    private let bytes: UnsafeMutableRawBufferPointer
    private let ends: [Int]

    init(_ strings: [[UInt8]]) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: strings.reduce(0) { $0 + $1.count }, alignment: 1)
        var end = 0
        ends = strings.map { string in
            UnsafeMutableRawBufferPointer(rebasing: bytes[end..<(end + string.count)]).copyBytes(from: string)
            end += string.count
            return end
        }
        self.bytes = bytes
    }

    deinit { bytes.deallocate() }

    var count: Int { ends.count }

    subscript(index: Int) -> UnsafeRawBufferPointer {
        let start = index == 0 ? 0 : ends[index - 1]
        return UnsafeRawBufferPointer(rebasing: bytes[start..<ends[index]])
    }

    func isEqual(_ index: Int, _ other: UnsafeRawBufferPointer) -> Bool {
        self[index].count == other.count && isPrefix(index, of: other)
    }

    func isPrefix(_ index: Int, of other: UnsafeRawBufferPointer) -> Bool {
        let own = self[index]
        guard own.count <= other.count else { return false }
        guard let left = own.baseAddress, let right = other.baseAddress else { return own.isEmpty }
        return memcmp(left, right, own.count) == 0
    }
}
