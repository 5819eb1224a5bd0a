// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Queues
import Testing

@Test(arguments: [
    (ENOENT, "no such file or directory"), (ENOSPC, "no space left on device"), (EIO, "input/output error"),
])
func `the system's words stand in the middle of a sentence`(code: Int32, words: String) {
    #expect(systemReason(code) == words)
}
