// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
internal import CryptoExtras

/// What guessing a passphrase costs: the parameters of scrypt (RFC 7914), which fills memory so that many guesses can't
/// be made at once on small hardware.
///
/// The standard cost is 128 MiB, and a third of a second on one core of a server of 2024.
package struct PassphraseCost: Equatable, Sendable {
    /// log2 of N: passes over the memory.
    let rounds: Int
    /// r: the block size; memory is 128 · N · r octets.
    let blockSize: Int
    /// p: how often all of it is done.
    let repetitions: Int

    /// N = 2^17, r = 8, p = 1.
    package static let standard = PassphraseCost(unchecked: 17, 8, 1)
    /// N = 2^10: for tests, which have no secrets.
    package static let trifling = PassphraseCost(unchecked: 10, 8, 1)

    static let saltSize = 16

    /// `nil` for parameters that would take more than 1 GiB or eight times as long as the standard at that size:
    /// whoever wrote a file must not make its reader run out of memory.
    init?(rounds: Int, blockSize: Int, repetitions: Int) {
        guard (10...20).contains(rounds), (1...8).contains(blockSize), (1...4).contains(repetitions),
            rounds < 16 * blockSize
        else { return nil }
        self.init(unchecked: rounds, blockSize, repetitions)
    }

    private init(unchecked rounds: Int, _ blockSize: Int, _ repetitions: Int) {
        self.rounds = rounds
        self.blockSize = blockSize
        self.repetitions = repetitions
    }

    /// The key of a passphrase; `nil` for an empty one, and when the system has not enough memory.
    func key(of passphrase: [UInt8], salt: [UInt8]) -> SymmetricKey? {
        guard !passphrase.isEmpty, !salt.isEmpty else { return nil }
        return try? KDF.Scrypt.deriveKey(
            from: passphrase, salt: salt, outputByteCount: 32, rounds: 1 << rounds, blockSize: blockSize,
            parallelism: repetitions)
    }
}

/// How costs and octets stand in a header line.
extension PassphraseCost {
    /// `17 8 1`.
    var text: String { "\(rounds) \(blockSize) \(repetitions)" }

    /// Reads three decimal numbers.
    init?(_ fields: some Collection<Substring>) {
        let numbers = fields.compactMap(decimal)
        guard fields.count == 3, numbers.count == 3 else { return nil }
        self.init(rounds: numbers[0], blockSize: numbers[1], repetitions: numbers[2])
    }
}

/// A number of at most two digits as it is written: no sign, no leading zero.
private func decimal(_ text: Substring) -> Int? {
    guard (1...2).contains(text.utf8.count), text.first != "0", text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
    else { return nil }
    return Int(text)
}
