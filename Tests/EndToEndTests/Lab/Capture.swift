// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation

/// UDP datagrams that somebody on the path wrote down: libpcap's format, raw IPv4.
struct Capture {
    struct Datagram {
        let ports: Set<UInt16>
        let payload: ArraySlice<UInt8>
    }

    private(set) var datagrams: [Datagram] = []

    init(readingFrom path: String) throws {
        var rest = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))).dropFirst(24)
        while rest.count >= 16 {
            let size = rest.dropFirst(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            let packet = rest.dropFirst(16).prefix(size)
            rest = rest.dropFirst(16 + size)
            if let datagram = Capture.datagram(in: packet) { datagrams.append(datagram) }
        }
    }

    private static func datagram(in packet: ArraySlice<UInt8>) -> Datagram? {
        guard let first = packet.first, packet.count >= 28, packet[packet.startIndex + 9] == 17 else { return nil }
        let udp = packet.dropFirst(Int(first & 0xF) * 4)
        guard udp.count >= 8 else { return nil }
        let words = [0, 2].map { UInt16(udp[udp.startIndex + $0]) << 8 | UInt16(udp[udp.startIndex + $0 + 1]) }
        return Datagram(ports: Set(words), payload: udp.dropFirst(8))
    }

    /// Those that have nothing to do with a port.
    func without(port: UInt16) -> [Datagram] { datagrams.filter { !$0.ports.contains(port) } }
}

/// Things that must not be seen on the path, in the forms in which a careless program would send them.
struct Secrets {
    private var forms: [(name: String, bytes: [UInt8])] = []

    mutating func add(text: String, as name: String) { forms.append((name, Array(text.utf8))) }

    /// Octets that are also looked for in hexadecimal and base64.
    mutating func add(octets: [UInt8], as name: String) {
        forms.append((name, octets))
        let hex = octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        add(text: hex, as: "\(name) in hexadecimal")
        add(text: hex.uppercased(), as: "\(name) in hexadecimal")
        // Whatever stands before them shifts base64 by none, one or two octets; both ends are then another's.
        for shift in 0..<3 {
            let whole = Data([UInt8](repeating: 0, count: shift) + octets).base64EncodedString()
            let middle = whole.dropFirst(shift == 0 ? 0 : 4).prefix { $0 != "=" }.dropLast(2)
            add(text: String(middle), as: "\(name) in base64")
            let url = middle.map { $0 == "+" ? "-" : $0 == "/" ? "_" : String($0) }.joined()
            add(text: url, as: "\(name) in base64")
        }
    }

    /// What of them stands in a datagram.
    func seen(in datagrams: [Capture.Datagram]) -> [String: Int] {
        var found: [String: Int] = [:]
        for datagram in datagrams {
            let payload = Data(datagram.payload)
            for form in forms where payload.range(of: Data(form.bytes)) != nil { found[form.name, default: 0] += 1 }
        }
        return found
    }
}
