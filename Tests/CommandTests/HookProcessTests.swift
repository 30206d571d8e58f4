import Glibc
import PowerModel
import PowerRun
import Testing

@testable import vpower

extension CommandTests {
    /// Hooks as real programs.
    struct HookProcessTests {
        private static let context = HookContext(
            cluster: ClusterName("Prod"), tier: TierName("db"), moment: .before,
            run: RunID("r-1"))

        private func run(_ command: String..., limit: Duration = .seconds(20)) async -> HookEnd {
            await HookProcess.run(Hook(command: command, limit: limit), Self.context)
        }

        /// Runs a shell script, whose `$1` is a directory of its own; what it left in `out` there.
        private func shell(
            _ script: String, limit: Duration = .seconds(20)
        ) async throws -> (end: HookEnd, out: String) {
            try await ShortDirectory.with { directory in
                let end = await run(
                    "/bin/sh", "-c", script, "hook", directory, limit: limit)
                return (end, try contents(of: "\(directory)/out"))
            }
        }

        @Test func `its exit status is told`() async {
            #expect(await run("/bin/true") == .exited(0))
            #expect(await run("/bin/sh", "-c", "exit 7") == .exited(7))
        }

        @Test func `a program that is not there, or is ended by a signal, is a failure`() async {
            let commands: [[String]] = [
                ["/nonexistent/hook"], ["/etc/hostname"], [], ["/bin/sh", "-c", "kill -9 $$"],
            ]
            for command in commands {
                let end = await HookProcess.run(Hook(command: command), Self.context)
                guard case .failed(let why) = end else {
                    Issue.record("\(command): \(end)")
                    continue
                }
                #expect(!why.isEmpty)
            }
        }

        @Test func `its arguments reach it as they are, through no shell`() async throws {
            let nasty = "$(touch /tmp/hook-was-here); `x` \"'\n*"
            try await ShortDirectory.with { directory in
                let end = await run(
                    "/bin/sh", "-c", "printf %s \"$2\" > $1/out", "hook", directory, nasty)
                #expect(end == .exited(0))
                let written = try contents(of: "\(directory)/out")
                #expect(written == nasty)
            }
        }

        @Test func `it inherits no environment but a path, and is told of the run`() async throws {
            setenv("VPOWER_SECRET_OF_THE_TEST", "s3cret", 1)
            defer { unsetenv("VPOWER_SECRET_OF_THE_TEST") }
            let out = try await shell(
                "tr '\\0' '\\n' < /proc/$$/environ | sort > $1/out; pwd >> $1/out")
            #expect(out.end == .exited(0))
            #expect(
                out.out.asLines == [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "VPOWER_CLUSTER=Prod", "VPOWER_MOMENT=before", "VPOWER_RUN=r-1",
                    "VPOWER_TIER=db", "/",
                ])
        }

        @Test func `it inherits no descriptors`() async throws {
            // Not marked close-on-exec, as a careless library would open one.
            let leak = open("/dev/null", O_RDONLY)
            defer { close(leak) }
            let out = try await shell("ls -l /proc/$$/fd | grep -v pipe: > $1/out")
            let open = out.out.asLines.filter { $0.contains("->") }
            #expect(open.count == 3, "\(out.out)")
            #expect(open.allSatisfy { $0.hasSuffix("/dev/null") }, "\(out.out)")
        }

        @Test func `no signal is blocked or ignored in it`() async throws {
            var all = sigset_t()
            sigfillset(&all)
            var before = sigset_t()
            pthread_sigmask(SIG_BLOCK, &all, &before)
            defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
            // The grep's own: a shell that waits for it blocks signals while it does.
            let out = try await shell("grep -E '^Sig(Blk|Ign)' /proc/self/status > $1/out")
            // The C library keeps 32 and 33 to itself: no program can have them.
            let own: UInt64 = 0b11 << 31
            let masks = out.out.asLines.compactMap { line in
                line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
            }
            #expect(masks.map { $0 & ~own } == [0, 0], "\(out.out)")
        }

        @Test func `at its limit all that it started is ended, what ignores TERM too`() async throws
        {
            let clock = ContinuousClock()
            let began = clock.now
            let script = """
                sh -c 'trap "" TERM; echo $$ > '$1'/child; while :; do sleep 1; done' &
                while [ ! -s $1/child ]; do sleep 0.05; done
                cp $1/child $1/out
                trap "exit 0" TERM
                while :; do sleep 0.1; done
                """
            let out = try await shell(script, limit: .seconds(2))
            #expect(out.end == .timedOut)
            #expect(clock.now - began < .seconds(2 + 5 + 3))
            let child = try #require(pid_t(out.out.asLines.first ?? ""))
            let isGone = try await until(.seconds(5)) { !isAlive(child) }
            #expect(isGone, "the child \(child) is still there")
        }

        @Test func `one that ignores TERM itself is killed`() async throws {
            let clock = ContinuousClock()
            let began = clock.now
            let end = await run(
                "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done", limit: .seconds(1))
            #expect(end == .timedOut)
            #expect(clock.now - began < .seconds(1 + 5 + 3))
        }

        /// Whether a process is there and is no zombie.
        private func isAlive(_ pid: pid_t) -> Bool {
            guard let status = try? contents(of: "/proc/\(pid)/stat") else { return false }
            return !status.contains(") Z ")
        }
    }
}
