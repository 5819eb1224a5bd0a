// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit

/// The options of `serve`.
struct ServeOptions: ParsableArguments {
    @OptionGroup var setting: SettingOptions

    @Flag(help: "Log nothing but where the server listens.")
    var quiet = false

    @OptionGroup var screen: ScreenArguments

    /// The settings to serve by. What nobody will read is told and not minded; what can't be ends it.
    func settings() throws(ProgramFailure) -> ServerSettings {
        let resolution = try setting.resolve()
        resolution.warnings.forEach(complain)
        if let last = resolution.faults.last {
            resolution.faults.dropLast().forEach(complain)
            throw ProgramFailure(.usage, last)
        }
        return resolution.settings
    }
}
