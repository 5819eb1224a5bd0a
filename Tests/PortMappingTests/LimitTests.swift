// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import PortMapping

@Test func `A report without an address names nobody who gave one`() {
    #expect(MappingReport().by == nil)
}
