import FoundationEssentials
import Glibc
import PowerLab
import Testing

extension CommandTests {
    /// The state directory on a file system of its own, too small for a run.
    @Suite struct FullDiskTests {
        /// Runs `vpower` with a new file system of this size over its state directory: it is gone
        /// with the command, as a disk is that dies.
        private func vpower(
            onDiskOf bytes: Int, _ lab: CommandLab, _ arguments: String...
        ) async throws -> VpowerProgram.Outcome {
            let state = "\(lab.directory)/state"
            if mkdir(state, 0o700) != 0 { try #require(errno == EEXIST) }
            return try await VpowerProgram.run(
                "/usr/bin/bwrap",
                [
                    "--dev-bind", "/", "/", "--perms", "0700", "--size", "\(bytes)", "--tmpfs",
                    state, "--", VpowerProgram.path,
                ] + arguments, environment(lab))
        }

        private func environment(_ lab: CommandLab) -> [String: String] {
            lab.environment.merging(["VPOWER_RUN": "\(lab.directory)/run"]) { _, new in new }
        }

        @Test func `a run by hand does not begin on a full disk, and says what to do`() async throws
        {
            try await CommandLab.with { lab in
                let refused = try await vpower(onDiskOf: 16_384, lab, "shutdown", "--yes")
                #expect(refused.code == 1, "\(refused.all)")
                #expect(refused.errors.contains("Try: free some space"), "\(refused.all)")
                #expect(try await lab.touched() == [])
            }
        }

        @Test func `a disk that fills up does not stop a run, and the next one goes on from /run`()
            async throws
        {
            try await CommandLab.with { lab in
                let before = try await lab.state()
                let down = try await vpower(
                    onDiskOf: 262_144, lab, "shutdown", "--cluster", "Lab", "--yes")
                #expect(down.code == 0, "\(down.all)")
                let told = down.errors.asLines.filter { $0.hasPrefix("vpower: journal ") }
                #expect(told.count == 1, "\(down.all)")
                #expect(told.first?.contains("recorded in \(lab.directory)/run") == true)
                #expect(try await lab.state().hostsOn == [])

                // Looking shows it, and moves nothing.
                let last = try await VpowerProgram.run(["history", "last"], environment(lab))
                #expect(last.code == 0, "\(last.all)")
                #expect(last.out.contains(": finished\n"), "\(last.all)")
                #expect(
                    !FileManager.default.fileExists(atPath: "\(lab.directory)/state/journal.sqlite")
                )

                try await lab.cyclePower()
                let back = try await VpowerProgram.run(["restore"], environment(lab))
                #expect(back.code == 0, "\(back.all)")
                #expect(try await lab.state().hostsOn == before.hostsOn)
                let list = try await VpowerProgram.run(["history"], environment(lab))
                #expect(list.lines.count == 5, "\(list.all)")
                let spare = try await VpowerProgram.run(
                    "/usr/bin/sqlite3",
                    ["\(lab.directory)/run/journal.sqlite", "SELECT COUNT(*) FROM record"])
                #expect(spare.out == "0\n", "\(spare.all)")
            }
        }
    }
}
