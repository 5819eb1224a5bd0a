// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQrencode

/// A text as a QR code (ISO/IEC 18004), by libqrencode: a square of dark and light modules.
///
/// Whoever draws it leaves a light margin of four modules around it, or readers don't find it.
public struct QRCode: Equatable, Sendable {
    /// Modules along an edge: 21 to 177.
    public let size: Int
    private let modules: [Bool]

    /// Light modules that belong around it on each side.
    public static let quietZone = 4

    /// The smallest code that holds the text's UTF-8, with as much error correction as fits in that size; `nil` for an
    /// empty text and for one of more than 2,953 octets.
    public init?(_ text: String) {
        guard let smallest = QRCode.encode(text, QR_ECLEVEL_L, atLeast: 0) else { return nil }
        let strongest = [QR_ECLEVEL_H, QR_ECLEVEL_Q, QR_ECLEVEL_M].lazy
            .compactMap { QRCode.encode(text, $0, atLeast: smallest.version) }
            .first { $0.version == smallest.version }
        self = (strongest ?? smallest).code
    }

    private init(size: Int, modules: [Bool]) {
        self.size = size
        self.modules = modules
    }

    /// Whether a module is dark: `x` columns from the left, `y` rows from the top. Everything outside is light.
    public subscript(x: Int, y: Int) -> Bool {
        guard (0..<size).contains(x), (0..<size).contains(y) else { return false }
        return modules[y * size + x]
    }

    private static func encode(
        _ text: String, _ level: QRecLevel, atLeast version: Int32
    ) -> (code: QRCode, version: Int32)? {
        let octets = Array(text.utf8)
        guard !octets.isEmpty, let code = QRcode_encodeData(Int32(clamping: octets.count), octets, version, level)
        else { return nil }
        defer { QRcode_free(code) }
        let size = Int(code.pointee.width)
        // The lowest bit of a module's octet is its colour.
        let modules = UnsafeBufferPointer(start: code.pointee.data, count: size * size).map { $0 & 1 == 1 }
        return (QRCode(size: size, modules: modules), code.pointee.version)
    }
}
