import Glibc
import PowerLab
import PowerModel
import Testing

extension CommandTests {
    /// A lab whose hosts have SSH stopped but for a run.
    @Suite(.serialized) struct SSHCommandTests {
        private static func words(_ outcome: VpowerProgram.Outcome) -> String {
            outcome.all.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }

        @Test func `a boot script is installed and taken out through SSH that is opened for that`()
            async throws
        {
            try await CommandLab.with("--ssh-stopped") { lab in
                let refused = try await lab.vpower(
                    "render-localsh", "--host", "esx2.lab", "--install")
                #expect(refused.code == 69, "\(refused.all)")
                #expect(Self.words(refused).contains("SSH is stopped on esx2.lab (TSM-SSH)"))
                for way in ["--install", "--check", "--uninstall"] {
                    let done = try await lab.vpower(
                        "render-localsh", "--host", "esx2.lab", way, "--open-ssh")
                    #expect(done.code == 0, "\(way): \(done.all)")
                    #expect(try await lab.state().sshOn == [], "\(way)")
                    #expect(
                        try lab.localSh("esx2.lab").contains("vpower") == (way != "--uninstall"))
                }
                #expect(try await lab.log().count { $0.kind == .sshStarted } == 3)
                let alone = try await lab.vpower(
                    "render-localsh", "--host", "esx2.lab", "--open-ssh")
                #expect(alone.code == 64, "\(alone.all)")
            }
        }

        @Test func `what keeps SSH from being started is found before an outage`() async throws {
            try await CommandLab.with("--ssh-stopped") { lab in
                #expect(try await lab.say("withhold Host.Config.NetService") == "ok")
                let check = try await lab.vpower("check")
                #expect(check.code == 1, "\(check.all)")
                // The other two have endpoints of their own.
                #expect(
                    Self.words(check).contains("Host.Config.NetService is missing on esx2.lab"),
                    "\(check.all)")
                let open = try await lab.vpower("check", "--open-ssh")
                #expect(open.code == 1, "\(open.all)")
                #expect(
                    Self.words(open).contains("BAD host esx2.lab SSH cannot be started for a run"))
                #expect(Self.words(open).contains("ok host esx3.lab SSH, hostd and 4 guests"))
                #expect(try await lab.state().sshOn == [])
            }
        }

        @Test func `a command that a signal ends stops SSH before`() async throws {
            try await CommandLab.with("--ssh-stopped") { lab in
                let check = try Child(
                    VpowerProgram.path, ["check", "--open-ssh"],
                    environment: VpowerProgram.surroundings(lab.environment),
                    output: "\(lab.directory)/check.out", errors: "\(lab.directory)/check.err")
                try #require(await lab.untilLog { $0.contains { $0.kind == .sshStarted } })
                check.signal(SIGTERM)
                let status = try await check.status(within: .seconds(40))
                try await check.stop()
                #expect(status.map(VpowerProgram.exitCode) == 128 + SIGTERM)
                #expect(try await lab.state().sshOn == [])
                #expect(try await lab.untilSessions { $0 == ["vim": 0, "rest": 0] })
            }
        }

        @Test func `a shutdown that is reversed stops SSH again`() async throws {
            try await CommandLab.with("--ssh-stopped") { lab in
                let run = try await RunningShutdown(lab, until: "> guests: middle")
                #expect(try await lab.state().sshOn.count == 3)
                let abort = try await lab.vpower("abort", "--cluster", "Lab")
                #expect(abort.code == 0, "\(abort.all)")
                _ = try await run.end()
                #expect(try await lab.state().sshOn == [])
            }
        }
    }
}
