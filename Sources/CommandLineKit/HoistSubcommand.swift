// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser

/// Puts the subcommand's name first, so that the common options may stand before it as well as after it.
/// - Parameter valued: the common options that take a value, with their dashes.
func hoistSubcommand(
    _ arguments: [String], of root: any ParsableCommand.Type, valued: Set<String>
) -> [String] {
    let names = root.configuration.subcommands.map { $0._commandName }
    var index = arguments.startIndex
    while index < arguments.endIndex {
        let argument = arguments[index]
        if names.contains(argument) {
            var rest = arguments
            rest.remove(at: index)
            return [argument] + rest
        }
        guard argument.hasPrefix("-"), argument != "--" else { return arguments }
        index += valued.contains(argument) ? 2 : 1
    }
    return arguments
}
