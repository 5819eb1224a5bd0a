// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// docs/THREAT_MODEL.md names the suites that attack; it is no promise if they are elsewhere, or gone.
@Suite struct AttackListTests {
    @Test func `every suite that the threat model names is in its target`() throws {
        let rows = try Repository.text("docs/THREAT_MODEL.md").matches(of: /\n\| `([A-Za-z]+Tests)` \| (`[^|]+`) \|/)
        #expect(rows.count == 4)
        for row in rows {
            let sources = try Repository.files(under: "Tests/\(row.1)", extension: "swift").map(Repository.text)
            for suite in row.2.matches(of: /`([A-Za-z]+)`/).map(\.1) {
                #expect(sources.contains { $0.contains("struct \(suite) {") }, "\(row.1): \(suite)")
            }
        }
    }
}
