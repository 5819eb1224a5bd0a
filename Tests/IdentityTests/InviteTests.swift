// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing

@Suite struct `An invite` {
    private static let key = PeerKey(octets: octets(TestVector.all[0].key))
    private static let serverKey = PeerKey(octets: octets(TestVector.all[1].key))
    private static let secret = [UInt8](0..<16)

    /// Computed by Python's `hashlib` and `base64`, where `A` and `B` are the keys of the first two test vectors:
    /// ```
    /// c = b"\x01" + A + bytes(range(16)) + b"\x02" + b"\x17index.example.org:50000\x01" + B \
    ///     + b"\x13[2001:db8::7]:50001\x00"                     # for the short one: … + b"\x00"
    /// c += hashlib.sha256(b"parley/invite-check/1" + c).digest()[:4]
    /// "parley:" + base64.urlsafe_b64encode(c).rstrip(b"=").decode()
    /// ```
    private static let short = """
        parley:AQOhB7_zzhC-HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAECAwQFBgcICQoLDA0ODwCsXFY7
        """
    private static let long = """
        parley:AQOhB7_zzhC-HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAECAwQFBgcICQoLDA0ODwIXaW5kZXguZXhhbXBsZS5vcmc6NTAwMDAB11qY\
        AYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURoTWzIwMDE6ZGI4Ojo3XTo1MDAwMQCP8cpk
        """

    private static func sample(_ indexes: [Invite.IndexHint] = []) throws -> Invite {
        Invite(key: try #require(key), secret: secret, indexes: indexes)
    }

    private static func hints() -> [Invite.IndexHint] {
        [
            Invite.IndexHint(server: "index.example.org:50000", key: serverKey),
            Invite.IndexHint(server: "[2001:db8::7]:50001"),
        ]
    }

    @Test func `is written and read as its vectors say`() throws {
        #expect(try Self.sample().text == Self.short)
        #expect(try Self.sample(Self.hints()).text == Self.long)
        #expect(try Invite(Self.short) == Self.sample())
        #expect(try Invite(Self.long) == Self.sample(Self.hints()))
        #expect("\(try Invite(Self.short).peer)" == TestVector.all[0].peer)
    }

    @Test(arguments: [
        " \(short)", "\(short)\r\n", "<\(short)>", "\t< \(short)\n>\n", "\n\n<\(short)>  ",
    ])
    func `may have blanks, line ends and angle brackets around it`(text: String) throws {
        #expect(try Invite(text) == Self.sample())
    }

    @Test(arguments: [
        "", " ", "<>", "hello", "parley", "PARLEY:\(short)", "<<\(short)>>", "https://example.org", "x\(short)",
        "parley:" + String(repeating: "A", count: 1_000_000),
    ])
    func `is told from other texts`(text: String) {
        #expect(throws: InviteError.notAnInvite) { try Invite(text) }
    }

    @Test func `is damaged at any other length`() {
        for count in "parley:".count..<Self.long.count {
            #expect(throws: InviteError.damaged) { try Invite(Self.long.prefix(count)) }
        }
        for more in ["A", "AA", "AAAA", "=", " x", ">"] {
            #expect(throws: InviteError.damaged) { try Invite(Self.long + more) }
        }
    }

    @Test func `is damaged after a slip at any of its characters`() {
        let characters = Array(Self.long)
        for index in "parley:".count..<characters.count {
            for slip in ["A", "b", "-", "é", " "] as [Character] where slip != characters[index] {
                var other = characters
                other[index] = slip
                #expect(throws: InviteError.damaged) { try Invite(String(other)) }
            }
        }
    }

    @Test(arguments: [
        (Invite.text(of: [2] + [UInt8](repeating: 7, count: 50)), InviteError.newerVersion),
        (Invite.text(of: [255]), .newerVersion),
        (Invite.text(of: [0] + [UInt8](repeating: 7, count: 50)), .damaged),
        (Invite.text(of: [1] + [UInt8](repeating: 0, count: 49)), .invalidKey),
        (Invite.text(of: Self.head(hints: 5)), .damaged),
        (Invite.text(of: Self.head(hints: 0) + [0]), .damaged),
        (Invite.text(of: Self.head(hints: 1)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a:1", flag: 2)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a:1", flag: 1)), .damaged),
        (
            Invite.text(of: Self.head(hints: 1) + Self.hint("a:1", flag: 1) + [UInt8](repeating: 0, count: 32)),
            .invalidKey
        ),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("\u{1B}[2J:1", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a b:1", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("раrley.org:1", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a:0", flag: 0)), .damaged),
        (Invite.text(of: Self.head(hints: 1) + Self.hint("a:65536", flag: 0)), .damaged),
    ])
    func `of a hostile writer is refused although its check is right`(text: String, error: InviteError) {
        #expect(throws: error) { try Invite(text) }
    }

    @Test func `carries four hints that can be written, and leaves the others out`() throws {
        let good = (1...6).map { Invite.IndexHint(server: "host-\($0).example:\($0)") }
        let bad = ["", "host", "ho st:1", "host:", ":1", "höst:1", String(repeating: "a", count: 254) + ":1"]
        let invite = try Self.sample(bad.map { Invite.IndexHint(server: $0) } + good)
        #expect(try Invite(invite.text).indexes == Array(good.prefix(4)))
    }

    @Test func `of the longest hints is read again`() throws {
        let name = String(repeating: "a", count: 249) + ":65535"
        let invite = try Self.sample(Array(repeating: Invite.IndexHint(server: name, key: Self.serverKey), count: 4))
        #expect(try Invite(invite.text) == invite)
    }

    @Test func `says in one clause what is wrong`() {
        for error in [InviteError.notAnInvite, .damaged, .newerVersion, .invalidKey] {
            let text = "\(error)"
            #expect(!text.isEmpty && !text.hasSuffix(".") && !text.contains("\n"))
        }
    }

    @Test func `survives any mutation without a trap`() throws {
        var random = SplitMix64(seed: 3)
        let valid = Array(Self.long.utf8)
        for _ in 0..<20_000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = .random(in: 0 ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.removeLast(bytes.count - index)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if let invite = try? Invite(text) { #expect(try invite == Invite(Self.long)) }
        }
    }

    // MARK: Texts that the writer would never put together

    private static func head(hints: UInt8) -> [UInt8] { [1] + octets(TestVector.all[0].key) + secret + [hints] }

    private static func hint(_ server: String, flag: UInt8) -> [UInt8] {
        [UInt8(server.utf8.count)] + server.utf8 + [flag]
    }
}

@Suite struct `The proof of an invite's secret` {
    private let secret = [UInt8](0..<16)
    private let binding = [UInt8](32..<64)

    private func keys() throws -> (PeerKey, PeerKey) {
        (
            try #require(PeerKey(octets: octets(TestVector.all[1].key))),
            try #require(PeerKey(octets: octets(TestVector.all[0].key)))
        )
    }

    /// Computed by Python's `hmac`, where `A` and `B` are the keys of the first two test vectors:
    /// `hmac.new(bytes(range(16)), b"parley/invite-proof/1" + bytes(range(32, 64)) + B + A, "sha256").hexdigest()`.
    @Test func `is as its vector says`() throws {
        let (prover, verifier) = try keys()
        let proof = InviteProof.make(secret: secret, binding: binding, prover: prover, verifier: verifier)
        #expect(hex(proof) == "5c7fb48740f23cdb416c0ce5338a74b055dacb1211774ce3da42764fe6436626")
    }

    @Test func `holds for its secret, session and keys alone`() throws {
        let (prover, verifier) = try keys()
        let proof = InviteProof.make(secret: secret, binding: binding, prover: prover, verifier: verifier)
        func holds(
            _ proof: [UInt8], secret: [UInt8]? = nil, binding: [UInt8]? = nil, prover other: PeerKey? = nil,
            verifier another: PeerKey? = nil
        ) -> Bool {
            InviteProof.verify(
                proof, secret: secret ?? self.secret, binding: binding ?? self.binding, prover: other ?? prover,
                verifier: another ?? verifier)
        }
        #expect(holds(proof))
        #expect(!holds(proof, secret: secret.reversed()))
        #expect(!holds(proof, binding: binding + [0]))
        #expect(!holds(proof, prover: Identity().key))
        #expect(!holds(proof, verifier: Identity().key))
        #expect(!holds(proof, prover: verifier, verifier: prover), "what I prove to you, you cannot prove to me")
        for index in proof.indices {
            var flipped = proof
            flipped[index] ^= 1
            #expect(!holds(flipped))
        }
        for count in 0..<32 { #expect(!holds(Array(proof.prefix(count)))) }
        #expect(!holds(proof + [0]))
    }

    @Test func `of a secret that lost its last zeros on disk is the same`() throws {
        let (prover, verifier) = try keys()
        let proofs = [secret, secret + [0]].map {
            InviteProof.make(secret: $0, binding: binding, prover: prover, verifier: verifier)
        }
        #expect(proofs[0] == proofs[1])
    }
}
