// swift-tools-version: 6.1
// SPDX-License-Identifier: GPL-3.0-or-later
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A library target of ours: `uses` is its row of the layer table in docs/ARCHITECTURE.md.
func layer(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: swiftSettings)
}

/// Tests of one target; `Support` (clock, virtual network, key scripts) is always at hand.
func tests(_ name: String, uses: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: uses + ["Support"], exclude: exclude, swiftSettings: swiftSettings)
}

/// A program that tests start.
func testProgram(_ name: String, uses: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: uses, path: "Tests/\(name)", swiftSettings: swiftSettings)
}

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "parley",
    products: [
        .executable(name: "parley", targets: ["parley"]),
        .executable(name: "parley-index", targets: ["parley-index"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // MARK: C: what Swift's own modules do not show
        .systemLibrary(name: "CNcurses", providers: [.apt(["libncurses-dev"])]),
        .target(name: "CPosix"),
        .systemLibrary(name: "CQrencode", providers: [.apt(["libqrencode-dev"])]),
        .target(name: "CCertificate", linkerSettings: [.linkedLibrary("gnutls")]),
        .target(
            name: "CQuic", dependencies: ["CCertificate"],
            linkerSettings: [.linkedLibrary("ngtcp2"), .linkedLibrary("ngtcp2_crypto_gnutls")]),
        .target(name: "CTls", dependencies: ["CCertificate"]),
        .systemLibrary(name: "CNatPMP", providers: [.apt(["libnatpmp-dev"])]),
        .target(name: "CMiniUPnPc", linkerSettings: [.linkedLibrary("miniupnpc")]),

        // MARK: Values
        layer("Model"),
        layer("SafeText", uses: ["CPosix"]),
        layer("Queues"),

        // MARK: Bytes and keys
        layer("Wire", uses: ["Model"]),
        layer("Identity", uses: ["Model", "Queues", crypto, cryptoExtras]),

        // MARK: Engines: pure machines
        layer("Traversal", uses: ["Model", "Wire", crypto]),
        layer("Relaying", uses: ["Model", "Wire", "Queues"]),
        layer("PeerEngine", uses: ["Model", "Wire", "Identity", "Queues", "Traversal", "Relaying", crypto, deques]),
        layer("IndexEngine", uses: ["Model", "Wire", "Identity", "Queues", "Relaying", crypto]),

        layer("Scripting", uses: ["Model", "Wire", "PeerEngine"]),

        // MARK: Threads and sockets
        layer("Reactor", uses: ["Queues", "CPosix"]),
        layer("Network", uses: ["Model", "Wire", "Queues", "Reactor", "CPosix"]),
        layer("Tunnels", uses: ["Model", "Wire", "Identity", "Queues", "Reactor", "Network", "CPosix", "CTls"]),
        layer("PortMapping", uses: ["Model", "Queues", "Network", "CNatPMP", "CMiniUPnPc"]),
        layer(
            "Sessions",
            uses: [
                "Model", "Wire", "Identity", "Queues", "Traversal", "Relaying", "PeerEngine", "Reactor", "Network",
                "CQuic", crypto,
            ]),
        layer("DatabaseFile", uses: ["Queues", grdb]),
        layer("ChatStore", uses: ["Model", "PeerEngine", "Queues", "DatabaseFile", grdb]),
        layer("RegistryStore", uses: ["Model", "IndexEngine", "Queues", "DatabaseFile", grdb]),
        layer(
            "IndexServer",
            uses: [
                "Model", "Wire", "Identity", "SafeText", "Queues", "Relaying", "IndexEngine", "Reactor", "Network",
                "Tunnels",
                "CPosix",
            ]),

        // MARK: Screens
        layer("TerminalKit", uses: ["SafeText"]),
        layer("QRCode", uses: ["CQrencode"]),
        layer("CursesScreen", uses: ["CNcurses", "CPosix", "Reactor", "TerminalKit", "SafeText"]),
        layer("ChatScreen", uses: ["Model", "SafeText", "TerminalKit", "QRCode"]),
        layer("DashboardScreen", uses: ["Model", "SafeText", "TerminalKit", "IndexEngine"]),

        // MARK: Programs
        layer("CommandLineKit", uses: ["SafeText", "Queues", "Reactor", argumentParser]),
        .executableTarget(
            name: "parley",
            dependencies: [
                "CPosix", "Model", "SafeText", "Queues", "Wire", "Identity", "PeerEngine", "Scripting", "Reactor",
                "Network", "Traversal", "Tunnels", "PortMapping", "Sessions", "ChatStore", "TerminalKit",
                "CursesScreen", "ChatScreen", "CommandLineKit", argumentParser,
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "parley-index",
            dependencies: [
                "CPosix", "Model", "SafeText", "Queues", "Wire", "Identity", "IndexEngine", "IndexServer",
                "RegistryStore", "Relaying",
                "Reactor", "Network", "TerminalKit", "CursesScreen", "DashboardScreen", "CommandLineKit",
                argumentParser,
            ],
            swiftSettings: swiftSettings),

        // MARK: Tests
        .systemLibrary(name: "CVTerm", path: "Tests/CVTerm", providers: [.apt(["libvterm-dev"])]),
        .target(
            name: "Support", dependencies: ["Model", "Queues", "Reactor", "TerminalKit", "CVTerm"],
            path: "Tests/Support", swiftSettings: swiftSettings),
        tests("ModelTests", uses: ["Model"]),
        tests("SafeTextTests", uses: ["SafeText"]),
        tests("WireTests", uses: ["Model", "Wire"]),
        tests("IdentityTests", uses: ["Model", "Identity"]),
        tests("QueuesTests", uses: ["Queues"]),
        tests("TraversalTests", uses: ["Model", "Wire", "Traversal"]),
        tests("RelayingTests", uses: ["Model", "Wire", "Relaying"]),
        tests(
            "TunnelsTests", uses: ["Model", "Wire", "Identity", "Queues", "Reactor", "Network", "Tunnels", "CPosix"]),
        tests("PortMappingTests", uses: ["Model", "PortMapping"]),
        tests("ParleyTests", uses: ["Model", "Wire", "PortMapping", "Scripting", "parley", argumentParser]),
        tests(
            "PeerEngineTests",
            uses: ["Model", "Wire", "Identity", "Queues", "Traversal", "Relaying", "PeerEngine", "IndexEngine"]),
        tests(
            "SessionsTests",
            uses: [
                "Model", "Wire", "Identity", "Queues", "Traversal", "Relaying", "PeerEngine", "Reactor", "Network",
                "Sessions", "CQuic",
            ]),
        // Commits group after group and says so, until it is killed.
        testProgram("StoreHammer", uses: ["Model", "PeerEngine", "ChatStore"]),
        tests("ChatStoreTests", uses: ["Model", "Queues", "PeerEngine", "ChatStore", "StoreHammer", grdb]),
        tests("QRCodeTests", uses: ["QRCode"]),
        tests("ScriptingTests", uses: ["Model", "Wire", "PeerEngine", "Scripting"]),
        tests("IndexEngineTests", uses: ["Model", "Wire", "Identity", "Queues", "Relaying", "IndexEngine"]),
        tests("RegistryStoreTests", uses: ["Model", "Queues", "IndexEngine", "RegistryStore", grdb]),
        tests("CommandLineKitTests", uses: ["CommandLineKit", argumentParser]),
        tests(
            "ParleyIndexTests",
            uses: [
                "Model", "Wire", "Queues", "IndexEngine", "Reactor", "Network", "CommandLineKit", "parley-index",
                argumentParser,
            ]),
        tests("NetworkTests", uses: ["Model", "Wire", "Queues", "Reactor", "Network", "CPosix"]),
        tests(
            "IndexServerTests",
            uses: [
                "Model", "Wire", "Identity", "Queues", "Relaying", "IndexEngine", "IndexServer", "Reactor", "Network",
                "Tunnels",
            ]),
        tests("TerminalKitTests", uses: ["SafeText", "TerminalKit"]),
        tests("CursesScreenTests", uses: ["SafeText", "TerminalKit", "CursesScreen", "Queues", "Reactor", "CPosix"]),
        tests("ChatScreenTests", uses: ["Model", "SafeText", "TerminalKit", "ChatScreen"], exclude: ["Goldens"]),
        tests("DashboardScreenTests", uses: ["Model", "SafeText", "TerminalKit", "IndexEngine", "DashboardScreen"]),
        .testTarget(name: "ArchitectureTests", swiftSettings: swiftSettings),
        // What reads strangers' bytes, for the corpus' tests and for libFuzzer.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Model", "Wire", "Identity", "Traversal", "PeerEngine", "IndexEngine", "Scripting", "CommandLineKit",
            ],
            path: "Tests/Fuzz/Targets", swiftSettings: swiftSettings),
        tests("FuzzTests", uses: ["Model", "FuzzTargets"]),
        // Two network namespaces and a bad line between them; a program of its own, in C.
        .executableTarget(name: "impair", path: "Tests/Lab/impair"),
        tests("EndToEndTests", uses: ["Model", "Identity", "TerminalKit"]),
    ]
)

// libFuzzer's own main: only `make fuzz` builds it, with the sanitizers that it needs.
if Context.environment["PARLEY_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/LibFuzzer",
            swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]))
}

// Some targets and what they need, for who waits for no others: `PARLEY_ONLY=WireTests,ModelTests swift test`.
if let only = Context.environment["PARLEY_ONLY"] {
    let targets = Dictionary(package.targets.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var kept: Set<String> = []
    var next = only.split(separator: ",").map { String($0) }
    while let name = next.popLast() {
        guard let target = targets[name], kept.insert(name).inserted else { continue }
        next += target.dependencies.compactMap { dependency in
            switch dependency {
            case .byNameItem(let name, _), .targetItem(let name, _): name
            default: nil
            }
        }
    }
    package.targets.removeAll { !kept.contains($0.name) }
    package.products.removeAll { !kept.contains($0.name) }
}
