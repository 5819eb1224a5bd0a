// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser
import CommandLineKit

Parley.runProgram(valued: [
    "--name", "--home", "--listen", "--index", "--passphrase-fd", "--backup-passphrase-fd", "--color",
])
