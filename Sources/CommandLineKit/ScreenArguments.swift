// SPDX-License-Identifier: GPL-3.0-or-later
public import ArgumentParser

/// How a program with a screen may draw.
public struct ScreenArguments: ParsableArguments, Sendable {
    @Flag(help: "Draw with ASCII alone.")
    public var ascii = false

    @Option(help: ArgumentHelp("When to use colour: auto, always or never.", valueName: "when"))
    var color = ColorChoice.auto

    enum ColorChoice: String, ExpressibleByArgument, CaseIterable, Sendable { case auto, always, never }

    public init() {}

    /// NO_COLOR (no-color.org) forbids colour unless the command line asks for it.
    public var noColor: Bool {
        switch color {
        case .always: false
        case .never: true
        case .auto: environment("NO_COLOR").map { !$0.isEmpty } ?? false
        }
    }
}
