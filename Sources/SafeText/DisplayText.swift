// SPDX-License-Identifier: GPL-3.0-or-later

/// Text that is safe to show: no control, no bidi override, nothing invisible, nothing that two terminals measure
/// differently, and a bounded pile of marks.
///
/// It is the only kind of text that a frame, a log line or a terminal takes, and the sanitiser is the only way to make
/// one: that text from others passes it is a matter of types. The original stays in the model.
public struct DisplayText: Hashable, Sendable {
    /// The safe text.
    public let string: String
    /// Its width in terminal columns.
    public let columns: Int

    /// How controls appear.
    public enum Style: Sendable {
        /// `‹ESC›`, `‹RLO›`: for messages, where it matters that something was there.
        case visible
        /// Left out: for names, titles and notifications.
        case stripped
    }

    /// Sanitises text from anywhere. Newlines count as controls: split into lines first.
    ///
    /// - Complexity: O(n) in scalars; an ASCII text without controls costs one pass over its bytes.
    public init(_ raw: some StringProtocol, style: Style = .visible) {
        if let columns = plainASCIIColumns(raw) {
            self.init(trusted: String(raw), columns: columns)
        } else {
            self = sanitise(raw.unicodeScalars, style: style)
        }
    }

    fileprivate init(trusted string: String, columns: Int) {
        self.string = string
        self.columns = columns
    }

    /// Nothing.
    public static let empty = DisplayText(trusted: "", columns: 0)

    /// Whether there is nothing to show.
    public var isEmpty: Bool { string.isEmpty }

    /// What to put into cells, one after the other.
    public var clusters: Clusters { Clusters(string) }

    /// Both, one after the other. The seam may join two clusters into one (half a flag and half a flag), but never
    /// brings about what the sanitiser would change: columns go by scalar, and neither side starts with a mark.
    public static func + (left: DisplayText, right: DisplayText) -> DisplayText {
        DisplayText(trusted: left.string + right.string, columns: left.columns + right.columns)
    }

    /// The same text `count` times.
    public func repeated(_ count: Int) -> DisplayText {
        let count = max(0, count)
        return DisplayText(trusted: String(repeating: string, count: count), columns: columns * count)
    }

    /// As much as fits into `columns`; a cut text ends in `…` (or `~`, which `ascii` asks for).
    public func truncated(to limit: Int, ascii: Bool = false) -> DisplayText {
        guard columns > limit else { return self }
        guard limit > 0 else { return .empty }
        let (head, width) = prefix(columns: limit - 1)
        return DisplayText(trusted: head + (ascii ? "~" : "…"), columns: width + 1)
    }

    /// Cut or filled with spaces to exactly `width` columns.
    public func fitted(to width: Int, alignRight: Bool = false, ascii: Bool = false) -> DisplayText {
        let cut = truncated(to: width, ascii: ascii)
        let gap = String(repeating: " ", count: max(0, width - cut.columns))
        return DisplayText(trusted: alignRight ? gap + cut.string : cut.string + gap, columns: cut.columns + gap.count)
    }

    /// Breaks the text into lines of at most `width` columns: at spaces and beside wide characters where possible,
    /// inside a word only when the word alone is wider than the line. Spaces at a break vanish.
    ///
    /// - Parameter width: at least 2, or a wide character could never fit; smaller values count as 2.
    public func wrapped(to width: Int) -> [DisplayText] {
        let width = max(2, width)
        guard columns > width else { return [self] }
        var wrapper = Wrapper(width: width)
        for cluster in clusters { wrapper.append(cluster) }
        return wrapper.finish().map { DisplayText(trusted: $0.text, columns: $0.columns) }
    }

    private func prefix(columns limit: Int) -> (String, Int) {
        var head = ""
        var used = 0
        for cluster in clusters {
            guard used + cluster.columns <= limit else { break }
            head.append(cluster.character)
            used += cluster.columns
        }
        return (head, used)
    }
}

extension DisplayText: ExpressibleByStringInterpolation {
    /// Our own words; they pass the sanitiser like everyone's.
    public init(stringLiteral value: String) { self.init(value) }
}

extension DisplayText: CustomStringConvertible {
    public var description: String { string }
}

private func plainASCIIColumns(_ raw: some StringProtocol) -> Int? {
    var count = 0
    for byte in raw.utf8 {
        guard (0x20...0x7E).contains(byte) else { return nil }
        count += 1
    }
    return count
}

/// At most so many marks on one base: terminals keep four or fewer, and a pile of them is an attack on the line above.
private let markLimit = 4

private func sanitise(_ scalars: some Sequence<Unicode.Scalar>, style: DisplayText.Style) -> DisplayText {
    var out = String.UnicodeScalarView()
    var columns = 0
    var marks = markLimit  // nothing to sit on yet, so a leading mark is one too many
    var jamo: Jamo?
    for scalar in scalars {
        let previousJamo = jamo
        jamo = Jamo(scalar)
        switch classify(scalar, after: previousJamo) {
        case .drop:
            // Nobody sees that it was there, so it parts nothing.
            jamo = previousJamo
        case .mark:
            guard marks < markLimit else {
                jamo = previousJamo
                continue
            }
            marks += 1
            out.append(scalar)
        case .draw(let width):
            marks = 0
            columns += width
            out.append(scalar)
        case .replace:
            marks = markLimit
            jamo = nil
            columns += 1
            out.append("\u{FFFD}")
        case .control(let name):
            marks = markLimit
            jamo = nil
            guard style == .visible else { continue }
            let shown = "‹\(name)›"
            columns += shown.count
            out.append(contentsOf: shown.unicodeScalars)
        }
    }
    return DisplayText(trusted: String(out), columns: columns)
}

private enum ScalarClass {
    case drop, mark, replace
    case draw(width: Int)
    case control(name: String)
}

private func classify(_ scalar: Unicode.Scalar, after previous: Jamo?) -> ScalarClass {
    switch scalar.value {
    case 0x20...0x7E: return .draw(width: 1)
    case 0x1F3FB...0x1F3FF: return .drop  // skin tones, which some terminals join and some do not
    default: break
    }
    if let name = controlName(scalar) { return .control(name: name) }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .format: return .drop
    case .control, .surrogate, .unassigned, .privateUse, .lineSeparator, .paragraphSeparator: return .replace
    // Variation selectors and other marks without a shape; a letter without one, as the Hangul fillers, leaves a trace.
    case .nonspacingMark where properties.isDefaultIgnorableCodePoint: return .drop
    case _ where properties.isDefaultIgnorableCodePoint: return .replace
    default: break
    }
    switch TextWidth.columns(of: scalar) {
    case nil: return .replace
    case 0?:
        guard let jamo = Jamo(scalar) else { return .mark }
        return jamo.canFollow(previous) ? .mark : .replace
    case let width?: return .draw(width: width)
    }
}

/// The Hangul syllable so far (UAX #29, GB6 to GB8): vowels and final consonants take no column of their own, which
/// holds only behind what they belong to.
private enum Jamo {
    case leading, vowel, trailing

    init?(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x1100...0x115F, 0xA960...0xA97C: self = .leading
        case 0x1160...0x11A7, 0xD7B0...0xD7C6: self = .vowel
        case 0x11A8...0x11FF, 0xD7CB...0xD7FB: self = .trailing
        // A whole syllable goes on like its last part.
        case 0xAC00...0xD7A3: self = (scalar.value - 0xAC00) % 28 == 0 ? .vowel : .trailing
        default: return nil
        }
    }

    func canFollow(_ previous: Jamo?) -> Bool {
        switch self {
        case .leading: true
        case .vowel: previous == .leading || previous == .vowel
        case .trailing: previous == .vowel || previous == .trailing
        }
    }
}

private let c0Names = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
]

/// The names that a reader should see: controls and everything that turns the direction of text.
private func controlName(_ scalar: Unicode.Scalar) -> String? {
    switch scalar.value {
    case 0x00...0x1F: c0Names[Int(scalar.value)]
    case 0x7F: "DEL"
    case 0x80...0x9F: "C1"
    case 0x2028: "LS"
    case 0x2029: "PS"
    case 0x061C: "ALM"
    case 0x200E: "LRM"
    case 0x200F: "RLM"
    case 0x202A: "LRE"
    case 0x202B: "RLE"
    case 0x202C: "PDF"
    case 0x202D: "LRO"
    case 0x202E: "RLO"
    case 0x2066: "LRI"
    case 0x2067: "RLI"
    case 0x2068: "FSI"
    case 0x2069: "PDI"
    default: nil
    }
}
