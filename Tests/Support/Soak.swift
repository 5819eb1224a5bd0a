// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation

/// How many times longer than usual the tests run that grow with time: `PARLEY_SOAK`, else 1.
public let soak = max(1, ProcessInfo.processInfo.environment["PARLEY_SOAK"].flatMap { Int($0) } ?? 1)

/// Whether tests that only repeat themselves should do so less often: `PARLEY_SLOW`, set where a sanitiser makes
/// everything ten times as long.
public let isSlow = ProcessInfo.processInfo.environment["PARLEY_SLOW"] != nil
