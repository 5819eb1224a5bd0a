// SPDX-License-Identifier: GPL-3.0-or-later

/// Base 64 with padding (RFC 4648, §4).
func base64(_ bytes: some Collection<UInt8>) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var rest = bytes[...]
    while !rest.isEmpty {
        let group = rest.prefix(3)
        rest = rest.dropFirst(3)
        let missing = 3 - group.count
        let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * missing)
        for place in 0..<4 - missing { out.append(alphabet[Int(bits >> (18 - 6 * place) & 63)]) }
        out.append(contentsOf: repeatElement(UInt8(ascii: "="), count: missing))
    }
    return String(decoding: out, as: UTF8.self)
}
