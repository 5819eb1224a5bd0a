// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

/// What the original programs send to a peer.
struct SeedMessage: Sendable {
    let from: String
    let to: String

    /// The bytes of one message; `time` as the original sender writes it.
    func datagram(_ text: String, time: String = "0") -> String {
        #"{"src_uuid":"\#(from)","dst_uuid":"\#(to)","data":\#(JSON.quoted(text + "\n")),"creation_time":"\#(time)"}"#
    }
}

/// A peer as the original programs are: each request from a socket of its own, and one more to listen at.
struct SeedPeer {
    let inbox: DatagramSocket
    let uuid: String
    private let index: UInt16

    /// Registers at an index server on loopback.
    init(index: UInt16) throws {
        inbox = try DatagramSocket()
        self.index = index
        let request = #"{"req_type":"registration","addr":"127.0.0.1:\#(inbox.port)"}"#
        let answer = try #require(try DatagramSocket().ask(request, at: index))
        uuid = try #require(try JSON(answer)["uuid"]?.string)
    }

    /// Where the index server says that somebody lives.
    func port(of peer: String) throws -> UInt16 {
        let answer = try #require(
            try DatagramSocket().ask(#"{"req_type":"query","queried_uuid":"\#(peer)"}"#, at: index))
        let address = try #require(try JSON(answer)["address"]?.string)
        return try #require(address.split(separator: ":").last.flatMap { UInt16($0) }, "\(answer)")
    }

    /// Sends a message from a fresh socket.
    func send(_ text: String, to peer: String, time: String = "0") throws {
        try DatagramSocket().send(SeedMessage(from: uuid, to: peer).datagram(text, time: time), to: port(of: peer))
    }

    /// The next datagram that came.
    func receive() throws -> String {
        String(decoding: try #require(try inbox.receive(.seconds(5))), as: UTF8.self)
    }
}
