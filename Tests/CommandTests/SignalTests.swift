import Glibc
import Testing

extension CommandTests {
    /// What a person does who wants a run to stop.
    struct SignalTests {
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
