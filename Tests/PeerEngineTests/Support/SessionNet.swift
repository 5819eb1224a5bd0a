// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Traversal

/// Sessions on a network that exists only here: in order while they hold, with windows, and cut where a test says so.
struct SessionNet {
    /// One end of a session; a machine that is started anew counts its sessions anew.
    struct EndName: Hashable {
        var place: Endpoint
        var run: Int
        var id: SessionID
    }

    struct End {
        var other: EndName?
        var isUp = false
        /// Frames that wait for the reader.
        var backlog: [[UInt8]] = []
        var unconsumed = 0
        /// Nothing overtakes what went before.
        var lastArrival: Instant
        /// Who has to be there, while it is dialled.
        var dialled: PeerKey?
        /// The way that its packets take, and those that were offered.
        var route: Route?
        var routes: [Route] = []
        /// Frames that got no acknowledgement, and since when.
        var held: [[UInt8]] = []
        var heldSince: Instant?
    }

    /// What is to happen to an end.
    enum Happening {
        case handshake([Route])
        /// Nobody answered a dial in time.
        case giveUp
        case up(PeerKey, at: Route, binding: [UInt8])
        case frames([[UInt8]])
        /// An acknowledgement is missing still.
        case missed
        case closed(SessionEnd)
    }

    /// Bytes that may wait for a reader.
    static let window = 256 * 1024

    var ends: [EndName: End] = [:]
    /// Engines that said that they had dealt with more than they got.
    var overdrafts = 0
    /// Who let more wait of what the other side sends.
    var widened: [Endpoint] = []
    /// All frames that ever left a place.
    var sent: [(from: Endpoint, to: Endpoint, frame: [UInt8])] = []
    var lastInbound: UInt64 = 1

    func names(at place: Endpoint) -> [EndName] {
        ends.keys.filter { $0.place == place }.sorted { ($0.run, $0.id.number) < ($1.run, $1.id.number) }
    }

    /// Takes what may be read now.
    mutating func read(_ name: EndName) -> [[UInt8]] {
        guard var end = ends[name] else { return [] }
        var frames: [[UInt8]] = []
        while let frame = end.backlog.first, end.unconsumed < SessionNet.window {
            end.backlog.removeFirst()
            end.unconsumed += frame.count
            frames.append(frame)
        }
        ends[name] = end
        return frames
    }
}
