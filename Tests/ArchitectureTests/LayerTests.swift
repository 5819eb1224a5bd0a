// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Testing

/// The manifest, the sources and docs/ARCHITECTURE.md tell one story.
@Suite struct LayerTests {
    /// Target → imports, from the table.
    private static func table() throws -> [String: Set<String>] {
        var rows: [String: Set<String>] = [:]
        for line in try Repository.text("docs/ARCHITECTURE.md").split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 5, cells[1] != "target" else { continue }
            rows[cells[1]] = Set(cells[2].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
        }
        return rows
    }

    /// Target → dependencies, from the manifest's text.
    private static func manifest() throws -> [String: Set<String>] {
        let products = [
            "crypto": "Crypto", "cryptoExtras": "CryptoExtras", "grdb": "GRDB", "deques": "DequeModule",
            "argumentParser": "ArgumentParser",
        ]
        let source = try Repository.text("Package.swift")
        var targets: [String: Set<String>] = [:]
        let layer = /layer\(\s*"(?<name>[^"]+)"(?:,\s*uses:\s*\[(?<uses>[^\]]*)\])?/
        // What serves the tests has a path of its own.
        let foreign =
            #/
            \.(?:target|systemLibrary)\(\s*name:\s*"(?<name>C[A-Z][^"]+)"
            (?:,\s*dependencies:\s*\[(?<uses>[^\]]*)\])?(?!,\s*path)
            /#
        let program =
            /executableTarget\(\s*name:\s*"(?<name>[^"]+)",\s*dependencies:\s*\[(?<uses>[^\]]*)\],\s*swiftSettings/
        func dependencies(_ list: Substring) -> Set<String> {
            Set(
                list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
                    .filter { !$0.isEmpty }
                    .map { $0.hasPrefix("\"") ? String($0.dropFirst().dropLast()) : products[$0] ?? $0 })
        }
        for match in source.matches(of: foreign) { targets[String(match.name)] = dependencies(match.uses ?? "") }
        for match in source.matches(of: layer) { targets[String(match.name)] = dependencies(match.uses ?? "") }
        for match in source.matches(of: program) { targets[String(match.name)] = dependencies(match.uses) }
        return targets
    }

    @Test func `the manifest has the edges of the table and no others`() throws {
        let (table, manifest) = (try Self.table(), try Self.manifest())
        #expect(Set(table.keys) == Set(manifest.keys))
        for (target, edges) in manifest { #expect(table[target] == edges, "\(target)") }
    }

    @Test func `every folder of Sources is a target of the table`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Repository.root.path + "/Sources")
        #expect(Set(folders) == Set(try Self.table().keys))
    }

    @Test func `arrows point one way`() throws {
        let edges = try Self.table()
        var settled: Set<String> = []
        var waiting = Set(edges.keys)
        while !waiting.isEmpty {
            let ready = waiting.filter { edges[$0, default: []].intersection(waiting).isEmpty }
            try #require(!ready.isEmpty, "a circle among \(waiting.sorted())")
            settled.formUnion(ready)
            waiting.subtract(ready)
        }
    }

    @Test(arguments: [
        ("CNcurses", "CursesScreen"), ("ArgumentParser", "parley"), ("Crypto", "Identity"), ("CQuic", "Sessions"),
        ("CQrencode", "QRCode"), ("GRDB", "ChatStore"), ("CryptoExtras", "Identity"), ("CTls", "Tunnels"),
        ("CNatPMP", "PortMapping"), ("CMiniUPnPc", "PortMapping"), ("CCertificate", "CTls"),
    ])
    func `what is private to a layer is imported there alone`(module: String, owner: String) throws {
        let owners = try Self.table().filter { $0.value.contains(module) }.keys.sorted()
        switch module {
        case "ArgumentParser": #expect(owners == ["CommandLineKit", "parley", "parley-index"])
        case "CCertificate": #expect(owners == ["CQuic", "CTls"])
        case "GRDB": #expect(owners == ["ChatStore", "DatabaseFile", "RegistryStore"])
        case "Crypto": #expect(owners == ["Identity", "IndexEngine", "PeerEngine", "Sessions", "Traversal"])
        default: #expect(owners == [owner])
        }
    }

    @Test func `no source forces, traps or sleeps on purpose`() throws {
        let sources = Repository.root.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(text.hasPrefix("// SPDX-License-Identifier: GPL-3.0-or-later\n"), "\(file.lastPathComponent)")
            for line in text.split(separator: "\n") {
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
                // GRDB speaks Foundation's Data.
                if !Set(file.pathComponents).isDisjoint(with: ["ChatStore", "RegistryStore"]),
                    code == "internal import Foundation"
                {
                    continue
                }
                for word in ["try!", "fatalError(", "as!", "import Foundation", "usleep("] {
                    #expect(!code.contains(word), "\(file.lastPathComponent): \(line)")
                }
            }
        }
    }
}
