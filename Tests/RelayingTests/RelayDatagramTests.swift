// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import Wire

@Suite struct `A relayed datagram` {
    @Test func `is read as it was written`() throws {
        let channel = RelayChannel(0x0102_0304_0506_0708)
        let wrapped = RelayDatagram.wrap([1, 2, 3], in: channel)
        #expect(wrapped == [4, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3])
        let (read, inner) = try #require(RelayDatagram.unwrap(wrapped))
        #expect(read == channel && inner == [1, 2, 3])
    }

    @Test(arguments: 0...RelayDatagram.overhead) func `that holds nothing is none`(size: Int) {
        #expect(RelayDatagram.unwrap([UInt8](repeating: 4, count: size)) == nil)
    }
}
