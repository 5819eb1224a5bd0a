// SPDX-License-Identifier: GPL-3.0-or-later
import FuzzTargets
import Glibc

/// The target that the environment names.
private let target: FuzzTarget = {
    let name = getenv("PARLEY_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        print("PARLEY_FUZZ_TARGET is one of \(names)")
        exit(64)
    }
    return target
}()

/// libFuzzer's entry: called with one input after the other.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let fault = target.fault(in: Array(UnsafeBufferPointer(start: start, count: count))) {
        print("\(target.rawValue): \(fault)")
        abort()
    }
    return 0
}
