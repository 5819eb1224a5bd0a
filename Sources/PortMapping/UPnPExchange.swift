// SPDX-License-Identifier: GPL-3.0-or-later
internal import CMiniUPnPc
internal import Glibc
internal import Model

/// One question to the router by UPnP (WANIPConnection:1), in a process of its own that is killed when it takes too
/// long.
final class UPnPExchange: MappingExchange {
    private static let search: UInt32 = 1000

    let descriptor: Int32
    private let deadline: Instant
    private let process: pid_t

    /// - Parameters:
    ///   - url: where the router's description lay last time; empty to search for it.
    ///   - limit: what it may take in all.
    /// - Returns: `nil` when no process is to be had.
    init?(
        _ command: cm_command, port: UInt16, external: UInt16, lease: UInt32, url: [CChar], limit: Span,
        _ now: Instant
    ) {
        var request = cm_request()
        request.command = command
        (request.port, request.external_port, request.lease_seconds) = (port, external, lease)
        request.search_milliseconds = UPnPExchange.search
        withUnsafeMutableBytes(of: &request.url) { buffer in
            for (index, byte) in zip(buffer.indices.dropLast(), url) { buffer[index] = UInt8(bitPattern: byte) }
        }
        var descriptor: Int32 = -1
        let process = cm_start(&request, &descriptor)
        guard process > 0 else { return nil }
        (self.process, self.descriptor, deadline) = (process, descriptor, now + limit)
    }

    deinit {
        close(descriptor)
        cm_end(process)
    }

    /// Where the router's description lies; after `step`.
    private(set) var url: [CChar] = []

    var epoch: (seconds: UInt32, at: Instant)? { nil }

    func wake(_ now: Instant) -> Instant { deadline }

    func step(_ now: Instant) -> MappingOutcome? {
        var answer = cm_answer()
        let count = withUnsafeMutableBytes(of: &answer) { read(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EAGAIN || errno == EINTR { return now >= deadline ? .failed("no answer in time") : nil }
        guard count == MemoryLayout<cm_answer>.size else { return .failed("the router answers nonsense") }
        url = withUnsafeBytes(of: answer.url) { $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } }
        guard answer.code == cm_done else { return .init(failure: answer.code) }
        let text = withUnsafeBytes(of: answer.address) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard let address = Endpoint.address(text), address != .v4(0) else {
            return .failed("the router doesn't know its own address")
        }
        guard answer.external_port != 0 else { return .known(address) }
        return .mapped(
            Endpoint(address: address, port: answer.external_port),
            lease: answer.lease_seconds == 0 ? nil : .seconds(Int(answer.lease_seconds)))
    }
}

extension MappingOutcome {
    fileprivate init(failure code: Int32) {
        switch code {
        case Int32(cm_no_router): self = .failed("nobody answers")
        case Int32(cm_no_gateway): self = .failed("what answers is no router to the Internet")
        case 718, 727, 729: self = .taken
        case 606, 733: self = .failed("the router refuses it")
        case 501: self = .failed("the router itself has no connection, or refuses it")
        case ..<0: self = .failed("the router answers nonsense")
        default: self = .failed("the router refuses it (error \(code))")
        }
    }
}
