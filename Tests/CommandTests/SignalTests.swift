import Glibc
import Testing

extension CommandTests {
    /// What a person does who wants a run to stop.
    struct SignalTests {
        /// Each of them logs in. Tags take a login of their own, to REST, which is met where a
        /// command goes on for long enough after its snapshot.
        @Test(arguments: [
            (number: SIGINT, arguments: ["check"], rest: 0), (SIGTERM, ["check"], 0),
            (SIGTERM, ["render-localsh", "--host", "esx1.lab", "--install"], 1),
        ])
        func `a command that a signal ends is logged out before`(
            number: Int32, arguments: [String], rest: Int
        ) async throws {
            try await CommandLab.with { lab in
                var environment = lab.environment
                environment["VPOWER_SITE"] = try lab.changedSite("tags.yaml") {
                    $0.replacing("guests: [\"app-*\"]", with: "tags: [Tier/first]")
                }
                let check = try Child(
                    VpowerProgram.path, arguments,
                    environment: VpowerProgram.surroundings(environment),
                    output: "\(lab.directory)/check.out", errors: "\(lab.directory)/check.err")
                try #require(
                    await lab.untilSessions { $0["vim"] == 1 && $0["rest", default: 0] >= rest })
                // It stays logged in while nothing answers.
                lab.hang(true)
                check.signal(number)
                try await Task.sleep(for: .milliseconds(500))
                lab.hang(false)
                let status = try await check.status(within: .seconds(60))
                try await check.stop()
                #expect(status.map(VpowerProgram.exitCode) == 128 + number)
                #expect(try await lab.untilSessions { $0 == ["vim": 0, "rest": 0] })
            }
        }

        @Test func `the daemon is logged out when it ends`() async throws {
            try await CommandLab.with { lab in
                let watch = try Child(
                    VpowerProgram.path,
                    [
                        "watch", "--socket", "\(lab.directory)/n.sock", "--spool",
                        "\(lab.directory)/spool",
                    ],
                    environment: VpowerProgram.surroundings(lab.environment),
                    output: "\(lab.directory)/watch.out", errors: "\(lab.directory)/watch.err")
                try #require(await lab.untilSessions { $0["vim"] == 1 })
                lab.hang(true)
                watch.signal(SIGTERM)
                try await Task.sleep(for: .milliseconds(500))
                lab.hang(false)
                _ = try await watch.status(within: .seconds(20))
                try await watch.stop()
                #expect(try await lab.untilSessions { $0 == ["vim": 0, "rest": 0] })
            }
        }

        @Test func `the second signal stops waiting for a step, and resume continues`() async throws
        {
            try await CommandLab.with { lab in
                let errors = "\(lab.directory)/shutdown.err"
                let run = try Child(
                    VpowerProgram.path, ["shutdown", "--cluster", "Lab", "--yes"],
                    environment: VpowerProgram.surroundings(lab.environment),
                    output: "\(lab.directory)/shutdown.out", errors: errors)
                func told() -> String {
                    do { return try contents(of: errors) } catch { return "\(error)" }
                }
                let isThere = try await until(.seconds(60)) {
                    told().contains("> guests: middle") || run.status != nil
                }
                try #require(isThere, "\(told())")
                // From here on nothing answers: the request that comes at the limit of a guest
                // which ignores the first one stays without an answer for long.
                lab.hang(true)
                try await Task.sleep(for: .seconds(6))
                run.signal(SIGTERM)
                let isHeard = try await until(.seconds(5)) {
                    told().contains("stopping after the present step")
                }
                #expect(isHeard, "\(told())")
                try await Task.sleep(for: .seconds(3))
                #expect(run.status == nil, "the first signal waits: \(told())")
                run.signal(SIGTERM)
                let status = try await run.status(within: .seconds(3))
                lab.hang(false)
                try await run.stop()
                #expect(status.map(VpowerProgram.exitCode) == 75, "\(told())")
                #expect(told().contains("not waiting"), "\(told())")
                #expect(told().contains("run interrupted"), "\(told())")
                let resumed = try await lab.vpower("resume", "--cluster", "Lab")
                #expect(resumed.code == 0, "\(resumed.all)")
                #expect(try await lab.state().hostsOn == [])
            }
        }
    }
}
