// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Writes the frequent replies behind what a buffer already holds, without a tree of values: a buffer that is used
/// again costs no allocation.
///
/// The bytes are those of ``IndexReply/encoded(nonce:proof:)``; a test holds both to it. What is echoed is copied from
/// the request, by the ranges that ``ScannedRequest/scan(_:)`` told.
public enum ReplyWriter {
    /// ``IndexReply/answer(address:text:record:)``.
    public static func answer(
        _ address: Endpoint?, record: Swift.Span<UInt8>? = nil,
        echoing text: Range<Int>, nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(#"{"address":""#)
        if let address { address.append(to: &out) } else { out.append("nil") }
        out.append(#"","uuid":""#)
        out.append(request.extracting(text))
        if let record {
            out.append(#"","record":""#)
            Base64URL.append(record, to: &out)
        }
        out.append("\"")
        end(nonce, of: request, to: &out)
    }

    /// ``IndexReply/registered(uuid:lease:)`` without a lease: the seed's.
    public static func registered(
        _ peer: PeerID, nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(#"{"status":"OK","uuid":""#)
        peer.append(to: &out)
        out.append("\"")
        end(nonce, of: request, to: &out)
    }

    /// ``IndexReply/alive(boot:leaseSeconds:)``.
    public static func alive(
        boot: String, leaseSeconds: Int, nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(#"{"status":"OK","boot":"#)
        writeJSONString(boot, to: &out)
        out.append(#","lease_s":"#)
        out.appendDecimal(leaseSeconds)
        end(nonce, of: request, to: &out)
    }

    /// ``IndexReply/unknown(boot:spreadSeconds:)``.
    public static func unknown(
        boot: String, spreadSeconds: Int, nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(#"{"status":"unknown","boot":"#)
        writeJSONString(boot, to: &out)
        out.append(#","spread_s":"#)
        out.appendDecimal(spreadSeconds)
        end(nonce, of: request, to: &out)
    }

    /// ``IndexReply/moved(boot:seen:)``.
    public static func moved(
        boot: String, seen: Endpoint, nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(#"{"status":"moved","boot":"#)
        writeJSONString(boot, to: &out)
        out.append(#","seen":""#)
        seen.append(to: &out)
        out.append("\"")
        end(nonce, of: request, to: &out)
    }

    private static func end(_ nonce: Range<Int>?, of request: Swift.Span<UInt8>, to out: inout [UInt8]) {
        if let nonce {
            out.append(#","nonce":""#)
            out.append(request.extracting(nonce))
            out.append("\"")
        }
        out.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func append(_ bytes: Swift.Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    fileprivate mutating func appendDecimal(_ number: Int) {
        if number < 0 { append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = count
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}
