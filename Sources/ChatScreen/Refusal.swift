// SPDX-License-Identifier: GPL-3.0-or-later

/// Why a command can't be done: one clause for the user, who may mend the line.
struct Refusal: Error, Equatable {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }

    static func usage(_ command: Command) -> Refusal { Refusal("usage: \(command.usage)") }
}
