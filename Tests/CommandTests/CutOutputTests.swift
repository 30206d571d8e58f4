import PowerLab
import Testing

extension CommandTests {
    /// `vpower shutdown --cut-output`: by what is seen to be off, not by how the run ended.
    @Suite struct CutOutputTests {
        /// The lab's site with a machine on its UPS that answers and takes no order.
        private func withMachine(_ lab: CommandLab) throws -> String {
            try lab.changedSite("machine.yaml") { text in
                // It is upsd that listens there.
                guard let port = text.firstMatch(of: /server: 127\.0\.0\.1:(\d+)/)?.output.1
                else { return text }
                return text + """
                    machines:
                      - name: nas1
                        address: 127.0.0.1
                        sshPort: \(port)
                        user: vpower
                        key: \(lab.directory)/lab/esx1.lab/ssh/user_ecdsa
                        hostKeys: ["SHA256:\(String(repeating: "A", count: 43))"]
                        shutdownCommand: poweroff
                        feeds: [ups1]
                        limit: 2s

                    """
            }
        }

        @Test func `what gave up and holds no power is no hindrance to the cut`() async throws {
            try await CommandLab.with { lab in
                let site = try lab.changedSite("hook.yaml") { text in
                    text.replacing(
                        "        onLimit: powerOff\n      - name: middle",
                        with: "        onLimit: powerOff\n        before:\n"
                            + "          - command: [/bin/false]\n      - name: middle")
                }
                let down = try await lab.vpower("shutdown", "--yes", "--cut-output", site: site)
                #expect(down.code == 3, "\(down.all)")
                #expect(down.errors.contains("run finished with gaps"), "\(down.all)")
                #expect(down.errors.contains("vpower history last"), "\(down.all)")
                #expect(down.errors.contains("feed ups1: told to cut its output"), "\(down.all)")
                #expect(down.errors.tooWide == [])
                #expect(try await lab.untilLog { $0.contains { $0.kind == .outputOff } })
            }
        }

        @Test func `a machine that is not proven off is named, and the output stays on`()
            async throws
        {
            try await CommandLab.with { lab in
                let down = try await lab.vpower(
                    "shutdown", "--yes", "--cut-output", site: try withMachine(lab))
                #expect(down.code == 3, "\(down.all)")
                let told = down.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                #expect(
                    told.contains("feed ups1: not cut: machine nas1 was not seen down"),
                    "\(down.all)")
                #expect(!told.contains("told to cut"), "\(down.all)")
                #expect(down.errors.tooWide == [])
                #expect(!(try await lab.touched().contains(.outputOff)))
            }
        }

        @Test func `an output that other clusters hang on stays on, and they are named`()
            async throws
        {
            try await CommandLab.with { lab in
                let site = try lab.changedSite("two.yaml") { text in
                    // Its secret is missing too: the run goes on without that UPS, and says so.
                    let text = text.replacing("/lab/ups.secret", with: "/none.secret")
                    guard let start = text.firstRange(of: "  - name: Lab\n") else { return text }
                    let cluster = text[start.lowerBound...]
                    return text
                        + cluster.replacing("- name: Lab\n", with: "- name: Other\n")
                        .replacing(/name: esx(\d)\.lab/) { "name: other\($0.output.1).lab" }
                }
                let down = try await lab.vpower(
                    "shutdown", "--cluster", "Lab", "--yes", "--cut-output", site: site)
                #expect(down.code == 3, "\(down.all)")
                let told = down.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                #expect(told.contains("! feed ups1 is not followed: secret"), "\(down.all)")
                #expect(
                    told.contains("feed ups1: not cut: cluster Other hangs on it"), "\(down.all)")
                #expect(!(try await lab.touched().contains(.outputOff)))
            }
        }
    }
}
