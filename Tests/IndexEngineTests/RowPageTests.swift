// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Testing
import Wire

struct RowPageTests {
    /// Rows at 10.0.0.n, a second apart.
    private func registry(_ count: Int) throws -> (IndexHarness, [PeerID]) {
        var index = IndexHarness()
        var peers: [PeerID] = []
        for number in 0..<count {
            let address = Endpoint(address: .v4(0x0A00_0000 + UInt32(number)), port: 7000)
            guard
                case .registered(let uuid, _)? = try index.ask(
                    .registration(.init(address: address)), from: .loopback(9))
            else { continue }
            peers.append(uuid)
            index.advance(.seconds(1))
        }
        return (index, peers)
    }

    private func page(_ index: inout IndexHarness, _ request: RowRequest) -> RowPage {
        index.snapshot(SnapshotRequest(rows: request)).page
    }

    @Test func `columns sort both ways`() throws {
        var (index, peers) = try registry(9)
        let orders: [(RowSort, [PeerID])] = [
            (.address, peers), (.expires, peers), (.age, peers.reversed()), (.peer, peers.sorted()),
            (.kind, peers.sorted()),
        ]
        for (sort, expected) in orders {
            #expect(page(&index, RowRequest(sort: sort)).rows.map(\.peer) == expected)
            let turned = page(&index, RowRequest(sort: sort, descending: true)).rows.map(\.peer)
            #expect(turned == (sort == .kind ? expected : expected.reversed()))
        }
    }

    @Test func `a filter finds digits, addresses and kinds, and turns round`() throws {
        var (index, peers) = try registry(20)
        let one = try #require(peers.first)
        #expect(page(&index, RowRequest(filter: "\(one)".uppercased())).rows.map(\.peer) == [one])
        #expect(page(&index, RowRequest(filter: "10.0.0.1:")).matching == 1)
        #expect(page(&index, RowRequest(filter: "!10.0.0.1:")).matching == 19)
        #expect(page(&index, RowRequest(filter: "seed")).matching == 20)
        #expect(page(&index, RowRequest(filter: "key")).matching == 0)
        #expect(page(&index, RowRequest(filter: "!")).matching == 20)
    }

    @Test func `an anchored row keeps its place while others come`() throws {
        var (index, peers) = try registry(50)
        let anchor = peers[20]
        var request = RowRequest(sort: .age, limit: 10, anchor: .init(peer: anchor, position: 4))
        #expect(page(&index, request).rows[4].peer == anchor)
        for number in 0..<7 {
            _ = try index.ask(.registration(.init(address: .loopback(UInt16(100 + number)))), from: .loopback(9))
        }
        index.advance(.seconds(2))
        #expect(page(&index, request).rows[4].peer == anchor)
        request.sort = .peer
        #expect(page(&index, request).rows.map(\.peer).contains(anchor))
    }

    @Test(arguments: [0, 1, 49, 50, 51, Int.max])
    func `any offset and limit gives rows that exist`(bound: Int) throws {
        var (index, _) = try registry(50)
        for limit in [0, 1, 49, 50, 51, Int.max] {
            let page = page(&index, RowRequest(offset: bound, limit: limit))
            #expect(page.rows.count == min(50, limit))
            #expect(page.offset + page.rows.count <= 50)
        }
    }

    @Test func `the order is made at most once a second`() throws {
        var (index, _) = try registry(5)
        #expect(page(&index, RowRequest()).matching == 5)
        _ = try index.ask(.registration(.init(address: .loopback(1))), from: .loopback(9))
        #expect(page(&index, RowRequest()).matching == 5)
        index.advance(.seconds(1))
        #expect(page(&index, RowRequest()).matching == 6)
    }
}
