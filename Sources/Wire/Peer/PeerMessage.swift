// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A message on the seed's wire: one datagram of plaintext, from one peer to the other, never acknowledged.
///
/// Nothing in it is trusted: anyone can write any `source` and any `created`.
public struct PeerMessage: Equatable, Sendable {
    public var source: PeerID
    public var destination: PeerID
    /// Without the newline that ends `data` on the wire.
    public var text: String
    /// `nil` when the sender did not know, or wrote it unreadably.
    public var created: WallTime?

    public init(source: PeerID, destination: PeerID, text: String, created: WallTime?) {
        self.source = source
        self.destination = destination
        self.text = text
        self.created = created
    }

    /// `{"src_uuid":…,"dst_uuid":…,"data":"text\n","creation_time":…}`, the time as RFC 3339, or `"0"` when unknown.
    /// - Throws: `tooLong` when it exceeds `WireLimits.seedDatagram`.
    public func encoded() throws(WireError) -> [UInt8] {
        let object: JSONObject = [
            "src_uuid": .string("\(source)"), "dst_uuid": .string("\(destination)"), "data": .string(text + "\n"),
            "creation_time": .string(created?.rfc3339 ?? "0"),
        ]
        let bytes = object.encoded()
        guard bytes.count <= WireLimits.seedDatagram else {
            throw .tooLong(bytes: bytes.count, limit: WireLimits.seedDatagram)
        }
        return bytes
    }

    /// Reads a message; one newline at the end of `data` is not part of the text.
    /// - Throws: `badMember` with the first member that is missing or of the wrong type.
    public init(_ object: JSONObject) throws(WireError) {
        guard let source = object.string("src_uuid").flatMap({ PeerID($0) }) else { throw .badMember("src_uuid") }
        guard let destination = object.string("dst_uuid").flatMap({ PeerID($0) }) else { throw .badMember("dst_uuid") }
        guard let data = object.string("data") else { throw .badMember("data") }
        self.init(
            source: source, destination: destination, text: PeerMessage.withoutFinalNewline(data),
            created: CreationTime.read(object["creation_time"]))
    }

    /// A line feed, or the carriage return and line feed of a program that ends its lines so.
    private static func withoutFinalNewline(_ data: String) -> String {
        data.last == "\n" || data.last == "\r\n" ? String(data.dropLast()) : data
    }
}
