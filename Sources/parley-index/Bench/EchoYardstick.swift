// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit

/// The machine's limit: datagrams back to where they came from, many a call, in C.
struct EchoYardstick: Yardstick {
    let name = "echo"
    let probe: [UInt8] = [0]

    func start() throws(ProgramFailure) -> BenchChild { try BenchChild(own: ["bench-echo"]) }

    func scripts(_ kind: BenchLoad.Kind, _ generator: LoadGenerator, index: [BenchScript]) -> [BenchScript]? {
        index.map(\.echoed)
    }
}
