// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal
import Wire

@Suite struct `A route` {
    static let place = Endpoint.loopback(7)

    @Test(arguments: [Route.direct(place), .relayed(by: place, RelayChannel(9))])
    func `leads there and is known by what comes back`(route: Route) throws {
        let datagram = route.datagram([1, 2, 3])
        #expect(datagram.endpoint == Self.place)
        let (bytes, from) = try #require(Route.unwrap(datagram))
        #expect(bytes == [1, 2, 3] && from == route)
    }

    @Test func `through a relay inside a relay is none`() {
        let inner = RelayDatagram.wrap([1], in: RelayChannel(1))
        #expect(Route.unwrap(Datagram(RelayDatagram.wrap(inner, in: RelayChannel(2)), Self.place)) == nil)
    }
}
