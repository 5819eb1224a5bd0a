// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit

ParleyIndex.runProgram(valued: [
    "--config", "--listen", "--data-dir", "--control", "--store", "--metrics", "--loops", "--log-format", "--log-level",
    "--interval", "--color",
])
