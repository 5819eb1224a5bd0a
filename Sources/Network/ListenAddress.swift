// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Where a program listens: `PORT`, `ADDR:PORT` or `[V6]:PORT`. Without an address, everywhere, IPv4 and IPv6 alike.
public struct ListenAddress: Equatable, Sendable {
    /// `nil` for all addresses.
    public var address: Endpoint.Address?
    /// 0 lets the system choose.
    public var port: UInt16

    public init(address: Endpoint.Address? = nil, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads one of the three forms.
    public init?(_ text: String) {
        if let port = UInt16(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            self.init(port: port)
        } else if let endpoint = Endpoint(text) {
            self.init(
                address: endpoint.isUnspecified && text.hasPrefix("[") ? nil : endpoint.address, port: endpoint.port)
        } else {
            return nil
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    public var description: String { address.map { "\(Endpoint(address: $0, port: port))" } ?? "[::]:\(port)" }
}
