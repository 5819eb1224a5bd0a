// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import Tunnels

@Test func `A tunnel's buffer holds a burst of the largest datagrams`() {
    #expect(TunnelLimits().buffered >= 64 * 2048)
}
