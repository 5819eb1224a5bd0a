// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit

ParleyIndex.runProgram(valued: [
    "--listen", "--data-dir", "--store", "--log-format", "--metrics", "--control", "--interval", "--color",
])
