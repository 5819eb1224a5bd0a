// SPDX-License-Identifier: GPL-3.0-or-later

extension Sequence<UInt8> {
    /// Two lower-case hex digits for each octet.
    package var hex: String {
        String(decoding: flatMap { [hexDigit($0 >> 4), hexDigit($0 & 0xF)] }, as: UTF8.self)
    }
}
