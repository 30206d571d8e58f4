import Foundation
import Testing

/// The rules, applied to this repository.
@Suite struct TidyTests {
    let repository: Repository

    init() throws { repository = try Repository.this.get() }

    @Test func `the rules see the repository's files`() {
        let paths = Set(repository.files.map(\.path))
        let expected = ["Package.swift", "Makefile", "README.md", "LICENSE", ".ci/run"]
        #expect(expected.filter { !paths.contains($0) } == [])
        #expect(!repository.swift(in: "Sources").isEmpty)
        #expect(!paths.contains { $0.hasPrefix(".build") })
    }

    // MARK: Imports

    @Test func `a target imports only what the table gives it`() {
        let found = repository.swift.flatMap { file, text in
            file.target.map { text.importsOutside(ImportTable.allowed[$0]) } ?? []
        }
        #expect(found == [])
    }

    @Test func `every target has its row in the import table`() {
        let targets = Set(
            repository.files.compactMap { file in
                let parts = file.path.split(separator: "/")
                return file.top == "Sources" && parts.count > 2 ? String(parts[1]) : nil
            } + ["Templates"])
        #expect(targets == Set(ImportTable.allowed.keys))
        #expect(targets == Set(ImportTable.order))
    }

    @Test func `imports point down, and no adapter knows another`() throws {
        for (target, modules) in ImportTable.allowed {
            let own = try #require(ImportTable.order.firstIndex(of: target))
            for module in modules {
                guard let other = ImportTable.order.firstIndex(of: module) else { continue }
                #expect(other > own, "\(target) imports \(module), which stands above it")
            }
            if ImportTable.adapters.contains(target) {
                #expect(modules.isDisjoint(with: ImportTable.adapters), "\(target)")
            }
        }
        #expect(ImportTable.allowed["PowerModel"] == [])
        #expect(ImportTable.allowed["PowerRun"] == ["PowerModel", "Logging", "Synchronization"])
    }

    @Test func `nobody imports FoundationNetworking`() {
        let found = repository.swift.filter { _, text in
            text.imports.contains { $0.module == "FoundationNetworking" }
        }
        #expect(found.map(\.file.path) == [])
    }

    // MARK: Swift

    @Test func `no error is forced away`() {
        #expect(repository.swift.flatMap { SwiftRules.forced($0.text) } == [])
    }

    @Test func `the model and the engine depend on nothing but what they are given`() {
        let found = repository.swift.filter {
            ["PowerModel", "PowerRun"].contains($0.file.target)
        }
        #expect(found.flatMap { SwiftRules.nondeterminism($0.text) } == [])
    }

    @Test func `an error that is ignored says why`() {
        let found = repository.swift(in: "Sources", "Templates")
        #expect(found.flatMap(SwiftRules.silencedErrors) == [])
    }

    @Test func `every wait has a named length`() {
        let found = repository.swift(in: "Sources", "Templates")
        #expect(found.flatMap(SwiftRules.unnamedWaits) == [])
    }

    @Test func `every function fits a screen`() {
        let found = repository.swift(in: "Sources", "Templates")
        #expect(found.flatMap(SwiftRules.longFunctions) == [])
    }

    @Test func `lines are at most 100 columns wide`() {
        #expect(repository.swift.flatMap { SwiftRules.longLines($0.text) } == [])
    }

    @Test func `every test runs`() {
        #expect(repository.swift(in: "Tests").flatMap(SwiftRules.disabledTests) == [])
    }

    @Test func `programs begin at @main`() {
        // Async top-level code never runs the deinit of what must not be copied.
        let found = repository.swift.map(\.file).filter { $0.name == "main.swift" }
        #expect(found.map(\.path) == [])
    }

    @Test func `swift format finds nothing to say`() throws {
        let folders = ["Sources", "Tests", "Templates", "Package.swift"]
        let answer = try Repository.run(
            "swift",
            ["format", "lint", "--strict", "--parallel", "-r"]
                + folders.map { repository.root.appending(path: $0).path })
        #expect(answer.output == "")
        #expect(answer.status == 0)
    }

    // MARK: Everything else

    @Test func `nothing is left for later`() {
        let found = repository.files.filter { !$0.path.contains("/Fixtures/") }
        #expect(found.flatMap { TextRules.unfinished($0.path, $0.text) } == [])
    }

    @Test func `no file knows the machine it was written on`() {
        let hosts = TextRules.registryHosts(environment: ProcessInfo.processInfo.environment)
        let found = repository.files.flatMap {
            TextRules.machineTraces($0.path, $0.text, registryHosts: hosts)
        }
        #expect(found == [])
    }

    @Test func `resolved versions are nobody's source`() throws {
        let ignored = try #require(repository.files.first { $0.path == ".gitignore" })
        #expect(ignored.text.split(separator: "\n").contains("Package.resolved"))
        #expect(repository.tracked?.contains("Package.resolved") != true)
    }

    @Test func `templates quote every value`() {
        let found = repository.files.filter {
            $0.path.hasSuffix(".mustache")
                || ($0.top == "Templates" && !$0.path.hasSuffix(".md")
                    && !$0.path.hasSuffix(".swift"))
        }
        #expect(!found.isEmpty)
        #expect(found.flatMap { TextRules.unquotedTags($0.path, $0.text) } == [])
    }

    @Test func `embedded files stay small together`() throws {
        let manifest = try #require(repository.files.first { $0.path == "Package.swift" })
        let names = TextRules.embeddedFiles(manifest: manifest.text)
        #expect(!names.isEmpty)
        var total = 0
        for name in names {
            let fits = repository.files.filter { $0.path.hasSuffix("/" + name) }
            #expect(!fits.isEmpty, "\(name) is embedded, but nowhere")
            total += fits.reduce(0) { $0 + $1.text.utf8.count }
        }
        #expect(total < TextRules.embeddedBytesLimit)
    }

    @Test func `shellcheck finds nothing to say`() throws {
        let scripts = repository.files.filter(\.isShell)
            .filter { !$0.path.contains("/Fixtures/") && !$0.path.hasSuffix(".mustache") }
        #expect(!scripts.isEmpty)
        let answer = try Repository.run(
            "shellcheck", scripts.map { repository.root.appending(path: $0.path).path })
        #expect(answer.output == "")
        for template in repository.files where template.path.hasSuffix(".sh.mustache") {
            // The values are constants here only: no word about constant conditions.
            let answer = try Repository.run(
                "shellcheck", ["-s", "sh", "-e", "SC2194,SC2050", "-"],
                input: TextRules.shellScript(template: template.text))
            #expect(answer.output == "", "\(template.path)")
        }
    }

    @Test func `every trap of the facts on vSphere has its tests`() throws {
        let tests = repository.swift.map(\.file).filter { $0.top == "Tests" }
        var seen: [String: Int] = [:]
        for trap in TrapTable.all {
            let section = String(try #require(trap.key.split(separator: "/").first))
            seen[section, default: 0] += 1
            #expect(trap.key == "\(section)/\(seen[section] ?? 0)", "in order, each once")
            #expect(!trap.tests.isEmpty && !trap.about.isEmpty)
            for (place, name) in trap.tests.enumerated() {
                let file = tests.first { $0.text.contains("func `\(name)`(") }
                #expect(file != nil, "\(trap.key): there is no test `\(name)`")
                guard place == 0, let row = trap.row, let file else { continue }
                let folder = file.path.prefix { $0 != "+" && $0 != "." }
                let rows = tests.filter { $0.path.hasPrefix(folder) }
                #expect(
                    rows.contains { $0.text.contains("\"\(row)\"") },
                    "\(trap.key): `\(name)` has no row \"\(row)\"")
            }
        }
        #expect(seen == TrapTable.counts)
    }

    @Test func `every runbook says first what not to do`() {
        let pages = repository.files.filter { $0.top == "Runbooks" && $0.path.hasSuffix(".md") }
        #expect(pages.count >= 4)
        #expect(pages.flatMap { TextRules.runbookMistakes($0.path, $0.text) } == [])
    }
}
