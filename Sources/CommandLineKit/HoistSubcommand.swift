// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser

/// Puts the subcommand's name first, so that the common options may stand before it as well as after it.
/// - Parameter valued: the common options that take a value, with their dashes.
func hoistSubcommand(
    _ arguments: [String], of root: any ParsableCommand.Type, valued: Set<String>
) -> [String] {
    let names = root.configuration.subcommands.map { $0._commandName }
    guard let index = firstWord(of: arguments, valued: valued), names.contains(arguments[index]) else {
        return arguments
    }
    var rest = arguments
    return [rest.remove(at: index)] + rest
}

/// The subcommand that somebody most likely meant whose first word is none; `nil` when none is near.
func meantSubcommand(_ arguments: [String], of root: any ParsableCommand.Type, valued: Set<String>) -> String? {
    guard let index = firstWord(of: arguments, valued: valued) else { return nil }
    let shown = root.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
    return shown.contains(arguments[index]) ? nil : nearMatch(arguments[index], among: shown)
}

/// Where the first argument stands that is neither an option nor the value of one.
private func firstWord(of arguments: [String], valued: Set<String>) -> Int? {
    var index = arguments.startIndex
    while index < arguments.endIndex {
        let argument = arguments[index]
        guard argument.hasPrefix("-") else { return index }
        guard argument != "--" else { return nil }
        index += valued.contains(argument) ? 2 : 1
    }
    return nil
}
