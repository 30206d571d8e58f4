import Testing

/// What `--experimental-dump-help` says, as far as it matters here.
struct HelpDump: Decodable {
    struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable { var name: String }
            var names: [Name]?
        }
        var commandName: String
        var discussion: String?
        var subcommands: [Command]?
        var arguments: [Argument]?

        var options: Set<String> {
            Set((arguments ?? []).flatMap { ($0.names ?? []).map(\.name) })
        }
    }
    var command: Command

    /// Every command but `help`.
    static func commands() async throws -> [Command] {
        let dump = try await VpowerProgram.run(["--experimental-dump-help"])
        let commands = try decoded(dump.out, as: HelpDump.self).command.subcommands ?? []
        let named = commands.filter { $0.commandName != "help" }
        try #require(named.count >= 12, "commands are missing: \(named.map(\.commandName))")
        return named
    }
}

extension CommandTests {
    @Suite struct HelpTests {
        @Test func `every command's help has an example, fits 80 columns and exits 0`() async throws
        {
            let names = try await HelpDump.commands().map { [$0.commandName, "--help"] }
            for arguments in [["--help"]] + names {
                let help = try await VpowerProgram.run(arguments)
                #expect(help.code == 0, "\(help.all)")
                #expect(help.out.tooWide == [], "\(help.command)")
                #expect(help.errors == "")
                let lines = help.lines
                let example = lines.firstIndex(of: "EXAMPLE")
                let first = example.map { lines[$0 + 1] } ?? ""
                #expect(
                    first.hasPrefix("  vpower ")
                        && first.contains(arguments.count > 1 ? arguments[0] : "drill"),
                    "\(help.command) shows no example: \(first)")
            }
        }

        @Test func `every command's help tells its exit codes, and no line of it is broken`()
            async throws
        {
            for command in try await HelpDump.commands() {
                let discussion = try #require(command.discussion, "\(command.commandName)")
                let help = try await VpowerProgram.run([command.commandName, "--help"])
                let lines = Set(help.lines)
                for line in discussion.asLines {
                    #expect(lines.contains(line), "\(command.commandName) breaks: \(line)")
                }
                let codes = try exitCodesOfSource().map { "\($0)" }
                let heading = try #require(
                    discussion.firstRange(of: "EXIT CODES\n"), "\(command.commandName) has no codes"
                )
                let told = discussion[heading.upperBound...].matches(of: /(?:  +)(\d+) [a-z]/)
                    .map { String($0.output.1) }
                #expect(
                    told.contains("0") && told.contains("64"), "\(command.commandName): \(told)")
                #expect(Set(told).isSubset(of: Set(codes)), "\(command.commandName): \(told)")
            }
        }

        @Test func `the overview lists every command and every exit code`() async throws {
            let help = try await VpowerProgram.run(["--help"])
            for command in try await HelpDump.commands() {
                #expect(help.lines.contains { $0.hasPrefix("  \(command.commandName) ") })
            }
            let codes = try exitCodesOfSource()
            for code in codes {
                #expect(
                    help.out.contains(try Regex("[ (]\(code) [a-z]")), "no exit code \(code)")
            }
        }

        @Test func `an unknown option, command or value exits 64 and says what it knows`()
            async throws
        {
            for command in try await HelpDump.commands() {
                let needed: [String: [String]] = [
                    "render-localsh": ["--host", "h"], "lab": ["--directory", "/nonexistent"],
                ]
                let outcome = try await VpowerProgram.run(
                    [command.commandName, "--no-such"] + (needed[command.commandName] ?? []))
                #expect(outcome.code == 64, "\(outcome.all)")
                #expect(outcome.out == "")
                #expect(outcome.errors.contains("--no-such"), "\(outcome.all)")
            }
            #expect(try await VpowerProgram.run(["no-such"]).code == 64)
            let value = try await VpowerProgram.run(["status", "--format", "xml"])
            #expect(value.code == 64)
            #expect(value.errors.contains("json"), "\(value.all)")
            let name = try await VpowerProgram.run(
                ["lab", "--directory", "/nonexistent", "--cluster", "../up"])
            #expect(name.code == 64)
            #expect(name.errors.contains("--cluster: a letter"), "\(name.all)")
        }
    }
}

/// The exit codes that the program's source has, in order.
func exitCodesOfSource() throws -> [Int] {
    let source = try contents(of: Repository.path("Sources/vpower/Output/Problem.swift"))
    let codes = source.matches(of: /case \w+ = (\d+)\n/).compactMap { Int($0.output.1) }
    try #require(codes.count >= 8, "the exit codes are not where this test looks")
    return codes
}
