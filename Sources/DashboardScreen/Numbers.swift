// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText

/// `1,000,000`: every digit up to twelve of them, then as `compact`.
func grouped(_ number: UInt64) -> DisplayText {
    guard number < 1_000_000_000_000 else { return compact(number) }
    let digits = Array(String(number))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
        text.append(digit)
    }
    return DisplayText(text)
}

/// The same of a count that is never negative.
func grouped(_ number: Int) -> DisplayText { grouped(UInt64(clamping: number)) }

/// `9,999`, `198k`, `1.2M`: at most five columns, rounded down.
func compact(_ number: UInt64) -> DisplayText { number < 10_000 ? grouped(number) : scaled(number) }
func compact(_ number: UInt32) -> DisplayText { compact(UInt64(number)) }
func compact(_ number: Int) -> DisplayText { compact(UInt64(clamping: number)) }

/// All digits without separators if there is room for them, else as `compact`.
func digits(_ number: UInt32, room: Int) -> DisplayText {
    let all: DisplayText = "\(number)"
    return all.columns <= room ? all : compact(number)
}

/// `512 B`, `4.2 kB`, `85 MB`, as disk makers count.
func bytes(_ count: UInt64) -> DisplayText {
    guard count >= 1000 else { return "\(count) B" }
    return scaled(count, gap: " ") + "B"
}

/// The largest unit that leaves at least one whole, with a tenth below ten.
private func scaled(_ number: UInt64, gap: String = "") -> DisplayText {
    var unit: UInt64 = 1000
    var prefixes = ["k", "M", "G", "T", "P", "E"][...]
    while number / unit >= 1000, prefixes.count > 1 {
        unit *= 1000
        prefixes.removeFirst()
    }
    let (whole, tenth) = (number / unit, number / (unit / 10) % 10)
    return DisplayText((whole < 10 ? "\(whole).\(tenth)" : "\(whole)") + gap + (prefixes.first ?? ""))
}

/// `4 %`; of one, and what is less but not nothing, `<1 %`.
func percent(_ part: Double) -> DisplayText {
    part > 0 && part < 0.01 ? "<1 %" : "\(Int(max(0, min(part * 100, 99_999)).rounded())) %"
}
