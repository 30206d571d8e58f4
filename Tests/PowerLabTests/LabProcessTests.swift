import Glibc
import PowerLab
import Testing

@Suite struct LabProcessTests {
    @Test func `output, errors, input, directory and status are those of the program`()
        async throws
    {
        let ran = try await LabProcess.run(
            "/bin/sh", ["-c", "cat; pwd; echo wrong >&2; echo $X; exit 7"],
            environment: ["X": "only this"], directory: "/usr", input: "given\n")
        #expect(ran.status == 7)
        #expect(ran.output == "given\n/usr\nonly this\n")
        #expect(ran.errors == "wrong\n")
    }

    @Test func `a program that ignores TERM is killed at the limit`() async throws {
        let stubborn = try LabProcess(
            "/bin/sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
        while !stubborn.output.contains("ready") { try await Task.sleep(for: .milliseconds(10)) }
        await stubborn.stop(within: .milliseconds(200))
        #expect(!stubborn.isRunning)
        #expect(await stubborn.exit(within: .seconds(1))?.status == 128 + SIGKILL)
        stubborn.signal(SIGTERM)
    }

    @Test func `one that ends by TERM is not killed, and a wait has its limit`() async throws {
        let sleeper = try LabProcess("/bin/sleep", ["30"])
        #expect(await sleeper.exit(within: .milliseconds(50)) == nil)
        await sleeper.stop()
        #expect(await sleeper.exit(within: .seconds(1))?.status == 128 + SIGTERM)
    }

    @Test func `a run that takes too long is an error and leaves nothing behind`() async throws {
        let mark = "\(UInt32.random(in: 1_000_000_000 ... .max))"
        await #expect(throws: LabProcessError.self) {
            try await LabProcess.run("/bin/sleep", [mark], within: .milliseconds(100))
        }
    }

    @Test func `a missing program is an error that names the set-up`() {
        #expect(throws: LabProcessError.self) { try LabProcess("/nonexistent/tool") }
        let error = #expect(throws: LabProcessError.self) { try LabProcess.find("no-such-tool") }
        #expect(error?.description.contains("make setup") == true)
    }

    @Test func `nothing that is open here is open in the program`() async throws {
        let file = open("/dev/null", O_RDONLY)
        defer { close(file) }
        // 3 is the listing's own.
        let ran = try await LabProcess.run("/bin/ls", ["/proc/self/fd"])
        #expect(ran.output == "0\n1\n2\n3\n")
    }
}
