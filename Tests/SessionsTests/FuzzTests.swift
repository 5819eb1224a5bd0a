// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Wire

@testable import Sessions

@Suite struct FuzzTests {
    /// Datagrams of whole sessions between the two, and of sessions with others.
    private func corpus(_ net: Net, _ client: Node, _ server: Node) -> [Datagram] {
        for (number, side) in [client, server].enumerated() {
            let other = net.node(UInt16(50 + number))
            net.perform(other, [.dial(SessionID(2), key: side.key, at: [side.endpoint])])
            net.run(for: .seconds(1)) { other.ups.count == 1 }
            net.perform(other, [.send(SessionID(2), frames: [[1, 2, 3]])])
            net.run(for: .milliseconds(100))
        }
        return net.captured.map(\.datagram)
    }

    private func mutated(_ corpus: [Datagram], _ target: Node, _ chance: inout SplitMix64) -> [UInt8] {
        guard var bytes = corpus.randomElement(using: &chance)?.bytes else { return [] }
        for _ in 0...Int(chance.next() % 3) where !bytes.isEmpty {
            let place = Int(chance.next() % UInt64(bytes.count))
            switch chance.next() % 8 {
            case 0, 1: bytes[place] ^= 1 << UInt8(chance.next() % 8)
            case 2: bytes[place] = UInt8(truncatingIfNeeded: chance.next())
            case 3: bytes.removeLast(bytes.count - place)
            case 4: bytes += chance.bytes(1 + Int(chance.next() % 64))
            case 5: bytes[place % min(40, bytes.count)] = [0, 0x3F, 0x40, 0x7F, 0x80, 0xFF][Int(chance.next() % 6)]
            case 6: bytes = Array(bytes.prefix(place)) + Array(corpus[0].bytes.dropFirst(place))
            default: bytes = bytes.prefix(1) + chance.bytes(1 + Int(chance.next() % 1300))
            }
        }
        // Half of what needs a mark gets the right one: a stranger may know the key.
        if bytes.first == SessionDatagram.dialTag, bytes.count > 17, chance.next() % 2 == 0 {
            bytes.replaceSubrange(1..<17, with: MAC1(dialled: target.key).code(over: bytes[17...]))
        }
        return bytes
    }

    @Test(arguments: [UInt64(11), 12])
    func `10,000 mutated packets do a session no harm`(seed: UInt64) throws {
        let net = Net(seed: seed)
        let (client, server, dialled, accepted) = try #require(net.pair())
        net.perform(client, [.send(dialled, frames: [[1], [UInt8](repeating: 2, count: 3000)])])
        net.run(for: .milliseconds(200))
        let corpus = corpus(net, client, server)
        net.captures = false
        let stranger = Endpoint(address: .v4(0x0A00_00FF), port: 4000)
        let before = (client.ups.count, server.ups.count)
        for number in 0..<(isSlow ? 1_000 : 10_000) {
            let (target, other) = number % 2 == 0 ? (server, client) : (client, server)
            let bytes = mutated(corpus, target, &net.chance)
            net.inject(bytes, from: number % 3 == 0 ? stranger : other.endpoint, to: target.endpoint)
            if number % 10 == 9 { net.run(for: .milliseconds(5)) }
        }
        net.run(for: .seconds(1))
        #expect(client.ups.count == before.0 && server.ups.count == before.1)
        let known = (client.frames.count, server.frames.count)
        net.perform(client, [.send(dialled, frames: [[7]])])
        net.perform(server, [.send(accepted, frames: [[8]])])
        net.run(for: .seconds(1)) { client.frames.count > known.0 && server.frames.count > known.1 }
        #expect(client.frames.dropFirst(known.0) == [[8]])
        #expect(server.frames.dropFirst(known.1) == [[7]])
    }

    @Test(arguments: [UInt64(21), 22, 23, 24])
    func `handshakes in a hail of mutated packets come up right or not at all`(seed: UInt64) {
        let net = Net(seed: seed)
        var (client, server) = (net.node(1), net.node(2))
        for _ in 0..<25 {
            (client, server) = (net.node(1), net.node(2))
            net.tamper = { datagram, source in
                let target = datagram.endpoint == server.endpoint ? server : client
                let recent = net.captured.suffix(20).map(\.datagram)
                let hail = (0..<4).map { _ in
                    Datagram(mutated(recent, target, &net.chance), datagram.endpoint)
                }
                return hail.prefix(2) + [datagram] + hail.suffix(2)
            }
            net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
            net.run(for: .seconds(15)) { client.ups.count == 1 && server.ups.count == 1 || !client.ends.isEmpty }
            #expect(client.ups.allSatisfy { $0.key == server.key })
            #expect(server.ups.allSatisfy { $0.key == client.key })
        }
    }

    @Test func `frames are cut the same however the stream is cut`() {
        var chance = SplitMix64(seed: 5)
        for _ in 0..<200 {
            let frames = (0..<20).map { _ in chance.bytes(1 + Int(chance.next() % 300)) }
            var stream = frames.flatMap { (FrameReader.header(of: $0) ?? []) + $0 }[...]
            var reader = FrameReader()
            var read: [[UInt8]] = []
            while !stream.isEmpty {
                let piece = Array(stream.prefix(1 + Int(chance.next() % 500)))
                stream = stream.dropFirst(piece.count)
                piece.withUnsafeBufferPointer { reader.append($0) }
                while case .frame(let frame) = reader.next() { read.append(frame) }
            }
            #expect(read == frames)
        }
    }

    @Test func `what was consumed is given back once, headers and all`() {
        var frames = UnconsumedFrames()
        frames.add(10)
        frames.add(20)
        #expect(frames.consume(5) == 5)
        #expect(frames.consume(5) == 9)
        #expect(frames.count == 1 && frames.bytes == 20)
        #expect(frames.consume(-3) == 0)
        #expect(frames.consume(.max) == 24)
        #expect(frames.consume(1) == 0)
        #expect(frames.count == 0 && frames.bytes == 0)
    }
}
