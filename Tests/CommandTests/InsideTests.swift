import PowerLab
import Testing

extension CommandTests {
    /// What `check` says of machines where vpower runs in a guest of the cluster: in this lab a
    /// machine has to wait 40 s, and the UPS waits 60 s.
    @Suite struct InsideTests {
        /// The lab's site with vpower in a guest, and two machines, of which one has these keys.
        private func site(_ lab: CommandLab, _ name: String, keys: [String]) throws -> String {
            func machine(_ name: String, _ keys: [String]) -> String {
                """
                  - name: \(name)
                    address: 127.0.0.1
                    user: vpower
                    key: \(lab.directory)/lab/esx1.lab/ssh/user_ecdsa
                    hostKeys: ["SHA256:\(String(repeating: "A", count: 43))"]
                    shutdownCommand: poweroff
                    feeds: [ups1]

                """ + keys.map { "    \($0)\n" }.joined()
            }
            return try lab.changedSite(name) { text in
                text.replacing(
                    "    defaultTier:", with: "    controller: db-replica\n    defaultTier:"
                ).replacing(/leave: \d+s/, with: "leave: 20s")
                    + "machines:\n" + machine("san1", keys) + machine("tape1", [])
            }
        }

        private func words(_ outcome: VpowerProgram.Outcome) -> String {
            outcome.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }

        @Test func `storage has to wait for vpower's host, and the UPS for the storage`()
            async throws
        {
            try await CommandLab.with("--output-delay", "60") { lab in
                let good = try await lab.vpower(
                    "check",
                    site: try site(
                        lab, "good.yaml",
                        keys: ["delay: 45s", "cancelCommand: stay", "limit: 15s"]))
                #expect(good.code == 0, "\(good.all)")
                #expect(good.out.tooWide == [])
                #expect(
                    words(good).contains(
                        "ok machine san1 it is told before vpower goes, and goes 45s later"))
                #expect(
                    words(good).contains(
                        "note machine tape1 it goes down before esx3.lab, which vpower runs on: "
                            + "storage that esx3.lab lives on must have `delay`"))

                let early = try await lab.vpower(
                    "check",
                    site: try site(lab, "early.yaml", keys: ["delay: 39s", "limit: 15s"]))
                #expect(early.code == 1, "\(early.all)")
                #expect(
                    words(early).contains(
                        "BAD machine san1 it would go before vpower's host: its `delay` is 39s and "
                            + "needs at least 40s, which is `limits.arm` and `limits.leave`"))
                #expect(early.lines.last?.hasPrefix("1 thing BAD") == true, "\(early.all)")

                let long = try await lab.vpower(
                    "check", site: try site(lab, "long.yaml", keys: ["delay: 45s", "limit: 16s"]))
                #expect(long.code == 1, "\(long.all)")
                #expect(
                    words(long).contains(
                        "BAD cluster Lab the output of feed ups1 would not be cut: it would be off "
                            + "in 60s (ups.delay.shutdown), and machine san1 needs up to 61s: set "
                            + "offdelay in ups.conf, or its `delay` and `limit`"))
                #expect(long.lines.last?.hasPrefix("1 thing BAD") == true, "\(long.all)")

                let plan = try await lab.vpower(
                    "plan", site: try site(lab, "plan.yaml", keys: ["delay: 45s", "limit: 15s"]))
                #expect(
                    words(plan).contains("tell san1, which goes by itself 45s later"),
                    "\(plan.all)")
            }
        }
    }
}
