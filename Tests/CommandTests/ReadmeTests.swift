import FoundationEssentials
import Testing

extension CommandTests {
    @Suite struct ReadmeTests {
        let readme: String

        init() throws { readme = try contents(of: Repository.path("README.md")) }

        /// The first cells of the table below a heading row.
        private func table(_ heading: String) throws -> [[String]] {
            let lines = readme.asLines
            let start = try #require(lines.firstIndex { $0.hasPrefix(heading) }, "\(heading)")
            return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
                line.split(separator: "|").map { cell in
                    String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
            }
        }

        @Test func `the table of commands has every command, and only options they have`()
            async throws
        {
            let commands = try await HelpDump.commands()
            var named: Set<String> = []
            for row in try table("| command | does |") {
                let words = row[0].replacing("`", with: "").split(separator: " ").map(String.init)
                if words == ["vpower-notify"] { continue }
                #expect(words[0] == "vpower")
                named.insert(words[1])
                let command = try #require(
                    commands.first { $0.commandName == words[1] }, "no command \(words[1])")
                for option in row.joined(separator: " ").matches(of: /--([a-z-]+)/) {
                    let name = String(option.output.1)
                    #expect(command.options.contains(name), "\(words[1]) has no --\(name)")
                }
            }
            #expect(named == Set(commands.map(\.commandName)))
        }

        @Test func `the table of exit codes has every code`() throws {
            let codes = try table("| code | meaning |").compactMap { Int($0[0]) }
            #expect(codes == (try exitCodesOfSource()))
        }

        @Test func `the table of pages has every page`() throws {
            let pages = try table("| page | when |").map { $0[0] }
            let names = RunbookTests.pages.map { name in
                let title = name.replacing(".md", with: "")
                return "[\(title)](Runbooks/\(name))"
            }
            #expect(Set(pages) == Set(names))
        }

        @Test func `the layout has every folder of Sources, in the order imports point`() throws {
            let layout = try #require(readme.firstRange(of: "    Sources/\n"))
            let block = readme[layout.upperBound...].asString.asLines.prefix { $0.hasPrefix(" ") }
            let inSources = block.prefix { $0.hasPrefix("      ") }
            let named = inSources.flatMap { line in
                line.split(separator: " ").prefix { $0.hasSuffix("/") }.map {
                    String($0.dropLast())
                }
            }
            let folders = try FileManager.default.contentsOfDirectory(
                atPath: Repository.path("Sources"))
            #expect(Set(named) == Set(folders))
            let table = try contents(of: Repository.path("Tests/TidyTests/ImportTable.swift"))
            let start = try #require(table.firstRange(of: "static let order = ["))
            let order = table[start.upperBound...].prefix { $0 != "]" }
                .matches(of: /"([A-Za-z0-9-]+)"/).map { String($0.output.1) }
            #expect(named == order.filter { $0 != "Templates" })
        }

        @Test func `it has no runbook commands that no test executes`() throws {
            #expect(try Page(Repository.path("README.md")).commands.isEmpty)
        }

        @Test func `it says what was run against simulators only`() {
            for word in ["real ESXi", "real vCenter", "real UPS", "vcsim", "pyvmomi", "OpenSSH"] {
                #expect(readme.contains(word), "\(word)")
            }
        }

        @Test func `every make target it names is in the Makefile`() throws {
            let makefile = try contents(of: Repository.path("Makefile"))
            for target in readme.matches(of: /make ([a-z-]+)/).map({ String($0.output.1) }) {
                #expect(makefile.contains("\n\(target): "), "make \(target)")
            }
        }

        @Test func `every file it links to is there`() {
            for link in readme.matches(of: /\]\(([A-Za-z][A-Za-z0-9\/.-]*)\)/) {
                let path = Repository.path(String(link.output.1))
                #expect(FileManager.default.fileExists(atPath: path), "\(path)")
            }
        }
    }
}

extension Substring {
    fileprivate var asString: String { String(self) }
}
