// SPDX-License-Identifier: GPL-3.0-or-later
import DashboardScreen
import IndexEngine
import Model
import TerminalKit
import Support
import Testing

struct FuzzTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no keys, sizes or snapshots break it`(seed: UInt64) {
        var dice = SplitMix64(seed: seed)
        var fixture = Fixture(80, 24, role: seed % 2 == 0 ? .server : .visitor, ascii: seed > 2, peers: 50)
        let characters = Array("q?/s<>rp +-ywxm1234jkgGé日!zabn")
        let codes: [Key.Code] = [
            .enter, .tab, .backspace, .delete, .insert, .escape, .up, .down, .left, .right, .home, .end, .pageUp,
            .pageDown,
            .function(1), .function(99),
        ]
        for _ in 0..<1500 {
            switch Int.random(in: 0..<14, using: &dice) {
            case 0..<4: fixture.press(.char(characters.randomElement(using: &dice) ?? "q"))
            case 4..<8: fixture.press(Key(codes.randomElement(using: &dice) ?? .up))
            case 8: fixture.press(.control(["c", "d", "u", "l"].randomElement(using: &dice) ?? "l"))
            case 9:
                let size = Size(columns: .random(in: 0...300, using: &dice), rows: .random(in: 0...100, using: &dice))
                fixture.send(.terminal(.resize(size)))
            case 10:
                fixture.happen(.random(in: 0..<700, using: &dice))
                if fixture.events.count > 5000 { fixture.events.removeAll() }
                fixture.refresh()
            case 11:
                fixture.rows = (0..<Int.random(in: 0..<120, using: &dice)).map(Fixture.row).shuffled(using: &dice)
                fixture.refresh()
            case 12:
                fixture.send(.snapshot(fixture.snapshot(boot: "\(Int.random(in: 0..<2, using: &dice))")))
                fixture.send(.terminal(.wheel([-3, 3, .max, .min].randomElement(using: &dice) ?? 0)))
            default:
                fixture.send(.disconnected(seconds: .random(in: .min ... .max, using: &dice)))
                fixture.send(.terminal(.paste("x\u{1b}\n")))
                fixture.send(.clock(WallTime(milliseconds: .random(in: .min ... .max, using: &dice)), utcOffset: .max))
            }
            let frame = fixture.frame
            #expect(frame.size == fixture.state.size)
        }
    }

    @Test func `every size from 1x1 to 300x100 has its frame`() {
        var fixture = Fixture(80, 24, peers: 50)
        fixture.happen(50)
        fixture.refresh()
        fixture.press(Key(.down), Key(.enter))
        for columns in stride(from: 1, through: 300, by: 3) {
            for rows in stride(from: 1, through: 100, by: columns % 7 + 8) {
                let frame = Dashboard.view(fixture.state, size: Size(columns: columns, rows: rows))
                #expect(frame.lines.count == rows)
            }
        }
    }
}
