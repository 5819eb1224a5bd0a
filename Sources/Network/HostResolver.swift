// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model

/// Turns `HOST:PORT` into an endpoint.
public enum HostResolver {
    /// The first that `resolveAll` finds.
    /// - Throws: `NetworkError` with a sentence.
    public static func resolve(_ text: String, defaultPort: UInt16) async throws(NetworkError) -> Endpoint {
        guard let first = try await resolveAll(text, defaultPort: defaultPort).first else {
            throw NetworkError("'\(text)' leads to no address.")
        }
        return first
    }

    /// Literal addresses at once, names by getaddrinfo(3), which blocks: on a thread of its own.
    /// - Returns: at least one; of a name, the first of each family, in the system's order (RFC 6724).
    /// - Throws: `NetworkError` with a sentence.
    public static func resolveAll(_ text: String, defaultPort: UInt16) async throws(NetworkError) -> [Endpoint] {
        if let endpoint = Endpoint(text) ?? literal(text, defaultPort) {
            guard endpoint.isUnicast else { throw NetworkError("'\(text)' is no address that can be sent to.") }
            return [endpoint]
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first.map(String.init), !name.isEmpty, parts.count <= 2,
            let port = parts.count == 2 ? portNumber(parts[1]) : defaultPort
        else { throw NetworkError("'\(text)' is no HOST:PORT.") }
        let addresses = await withCheckedContinuation { continuation in
            // A pool thread must not block for as long as a name server likes.
            let lookup = LookupThread(name) { continuation.resume(returning: $0) }
            lookup.start()
        }
        guard !addresses.isEmpty else { throw NetworkError("The name '\(name)' leads to no address.") }
        return addresses.map { Endpoint(address: $0, port: port) }
    }

    /// A server as it can be asked for, with its port: `nil` for what is no `HOST[:PORT]`. Whether there is such a host
    /// is not asked; names beyond ASCII are written as their A-labels (RFC 5890, §2.3.2.1).
    public static func server(_ text: String, defaultPort: UInt16) -> String? {
        if let endpoint = Endpoint(text) ?? literal(text, defaultPort) {
            return endpoint.isUnicast ? "\(endpoint)" : nil
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let port = parts.count == 2 ? portNumber(parts[1]) : defaultPort, isName(parts[0])
        else { return nil }
        return "\(parts[0]):\(port)"
    }

    /// Labels of letters, digits, hyphens and underscores (RFC 1123, §2.1), at most 253 characters of them; the last
    /// one is no number, or it would be an address.
    private static func isName(_ text: Substring) -> Bool {
        let name = text.hasSuffix(".") ? text.dropLast() : text
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        guard name.utf8.count <= 253, let last = labels.last, !last.utf8.allSatisfy(isDigit) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy {
                    isDigit($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
                }
        }
    }

    /// An address alone, an IPv6 one with its brackets or without.
    private static func literal(_ text: String, _ port: UInt16) -> Endpoint? {
        let hasBrackets = text.hasPrefix("[") && text.hasSuffix("]")
        return Endpoint.address(hasBrackets ? String(text.dropFirst().dropLast()) : text)
            .map { Endpoint(address: $0, port: port) }
    }

    /// 1 to 65535, in digits alone.
    private static func portNumber(_ text: Substring) -> UInt16? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port != 0 else {
            return nil
        }
        return port
    }
}

/// One blocking call on one detached thread.
private final class LookupThread: Sendable {
    private let name: String
    private let done: @Sendable ([Endpoint.Address]) -> Void

    init(_ name: String, _ done: @escaping @Sendable ([Endpoint.Address]) -> Void) {
        self.name = name
        self.done = done
    }

    func start() {
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let lookup = Unmanaged<LookupThread>.fromOpaque(context).takeRetainedValue()
                lookup.done(lookup.addresses())
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        if code == 0 { pthread_detach(thread) } else { done([]) }
    }

    private func addresses() -> [Endpoint.Address] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // No AI_ADDRCONFIG: it hides 127.0.0.1 on a machine with nothing but a loopback.
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [Int32: Endpoint.Address] = [:]
        var families: [Int32] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard found[entry.ai_family] == nil,
                let address = entry.ai_addr.flatMap({ SocketAddress($0) })?.endpoint.address
            else { continue }
            found[entry.ai_family] = address
            families.append(entry.ai_family)
        }
        return families.compactMap { found[$0] }
    }
}
