import FoundationEssentials
import Glibc
import PowerLab
import PowerModel
import Testing

extension CommandTests {
    @Suite struct HoldAbortTests {
        @Test func `a hold is shown everywhere until it is cleared, and one cluster's beside it`()
            async throws
        {
            try await CommandLab.with { lab in
                let none = try await lab.vpower("hold")
                #expect(none.code == 0 && none.out.contains("no hold"), "\(none.all)")
                let placed = try await lab.vpower(
                    "hold", "--until", "+2h", "--reason", "battery exchange")
                #expect(placed.code == 0, "\(placed.all)")
                let one = try await lab.vpower(
                    "hold", "--until", "+1h", "--reason", "UPS test", "--cluster", "Lab")
                #expect(one.out.asLines.count { $0.hasPrefix("HOLD for ") } == 2, "\(one.all)")
                for command in [
                    ["status"], ["check"], ["plan"], ["shutdown", "--dry-run"],
                    ["plan", "--format", "json"], ["status", "--format", "json"],
                ] {
                    let shown = try await VpowerProgram.run(command, lab.environment)
                    #expect(shown.out.contains("HOLD for the whole site"), "\(shown.all)")
                    #expect(shown.out.contains("HOLD for cluster Lab"), "\(shown.all)")
                    if !command.contains("json") { #expect(shown.out.tooWide == []) }
                }
                for cluster in [[], ["--cluster", "Lab"]] {
                    let cleared = try await VpowerProgram.run(
                        ["hold", "--clear"] + cluster, lab.environment)
                    #expect(cleared.code == 0, "\(cleared.all)")
                }
                let status = try await lab.vpower("status")
                #expect(!status.out.contains("HOLD"), "\(status.all)")
                #expect(try await lab.touched() == [])
            }
        }

        @Test(arguments: [
            ["--until", "+25h", "--reason", "x"], ["--until", "+2h"], ["--reason", "x"],
            ["--until", "yesterday", "--reason", "x"], ["--until", "+2h", "--reason", " "],
            ["--clear", "--reason", "x"], ["--until", "2001-01-01T00:00", "--reason", "x"],
            ["--clear", "--cluster", "none"],
        ])
        func `a hold that is none is wrong use, and nothing is placed`(
            _ arguments: [String]
        ) async throws {
            try await ShortDirectory.with { directory in
                let example = try await VpowerProgram.run(["init", "--example"])
                try example.out.write(to: "\(directory)/site.yaml")
                let surroundings = [
                    "VPOWER_SITE": "\(directory)/site.yaml", "VPOWER_STATE": "\(directory)/state",
                ]
                let outcome = try await VpowerProgram.run(["hold"] + arguments, surroundings)
                #expect(outcome.code == 64, "\(outcome.all)")
                #expect(outcome.errors.contains("Try: "), "\(outcome.all)")
                let shown = try await VpowerProgram.run(["hold"], surroundings)
                #expect(shown.out.contains("no hold"), "\(shown.all)")
            }
        }

        @Test func `abort reverses a run by hand, and that process brings the cluster back`()
            async throws
        {
            try await CommandLab.with { lab in
                let before = try await lab.state()
                let nothing = try await lab.vpower("abort")
                #expect(nothing.code == 1, "\(nothing.all)")
                let run = try await RunningShutdown(lab, until: "> guests: middle")
                let abort = try await lab.vpower("abort", "--reason", "wrong cluster")
                #expect(abort.code == 0, "\(abort.all)")
                #expect(abort.out.contains("reversed: cluster Lab is being brought back"))
                let (code, told) = try await run.end()
                #expect(code == 1, "\(told)")
                #expect(told.contains("aborted by hand: wrong cluster"), "\(told)")
                #expect(told.contains("aborted: cluster Lab is back"), "\(told)")
                let after = try await lab.state()
                #expect(after.hostsOn == before.hostsOn && after.automation.ha)
                let touched = try await lab.touched()
                #expect(!touched.contains(.hostTold))
                let status = try await lab.vpower("status")
                #expect(status.out.contains("nothing open"), "\(status.all)")
            }
        }

        @Test func `abort is refused once a host was told to stop, and says what to do`()
            async throws
        {
            try await CommandLab.with { lab in
                let run = try await RunningShutdown(lab, until: "point of no return")
                let abort = try await lab.vpower("abort")
                #expect(abort.code == 77, "\(abort.all)")
                #expect(abort.errors.contains("is told to stop"), "\(abort.all)")
                #expect(abort.errors.contains("vpower restore --cluster Lab"), "\(abort.all)")
                let (code, told) = try await run.end()
                #expect(code == 0 || code == 3, "\(told)")
                #expect(try await lab.state().hostsOn == [])
            }
        }

        @Test func `--all and --cluster, or a plan for several, are wrong use`() async throws {
            for arguments in [
                ["--all", "--cluster", "Lab"], ["--all", "--plan", "0f1e2d3c4b5a6978"],
            ] {
                let outcome = try await VpowerProgram.run(["shutdown"] + arguments)
                #expect(outcome.code == 64, "\(outcome.all)")
            }
        }
    }
}

/// A `vpower shutdown` that goes on beside the test.
final class RunningShutdown {
    private let child: Child
    private let errors: String

    /// Starts it; returns when it has printed this.
    init(_ lab: CommandLab, until text: String) async throws {
        let errors = "\(lab.directory)/shutdown.err"
        let child = try Child(
            VpowerProgram.path, ["shutdown", "--cluster", "Lab", "--yes"],
            environment: VpowerProgram.surroundings(lab.environment),
            output: "\(lab.directory)/shutdown.out", errors: errors)
        self.child = child
        self.errors = errors
        let isThere = try await until(.seconds(60)) {
            try contents(of: errors).contains(text) || child.status != nil
        }
        let told = try contents(of: errors)
        try #require(isThere, "\(told)")
    }

    /// Its exit code, and everything it told.
    func end() async throws -> (code: Int32, told: String) {
        let status = try await child.status(within: .seconds(120))
        try await child.stop()
        let told = try contents(of: errors)
        return (try #require(status.map(VpowerProgram.exitCode), "\(told)"), told)
    }
}
