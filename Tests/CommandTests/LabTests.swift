import Foundation
import Glibc
import PowerLab
import PowerModel
import Testing

/// One lab for a whole suite: it is only read, or put back.
struct SharedLab: SuiteTrait, TestScoping {
    @TaskLocal static var current: CommandLab?

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await CommandLab.with { lab in
            try await Self.$current.withValue(lab) { try await function() }
        }
    }
}

extension CommandTests {
    @Suite(.serialized, SharedLab()) struct LabTests {
        let lab: CommandLab

        init() throws { lab = try #require(SharedLab.current) }

        /// What happened at the site, but for the boot scripts that one test puts in and out.
        private func changed() async throws -> [LabEvent.Kind] {
            try await lab.touched().filter { $0 != .armed && $0 != .disarmed }
        }

        // MARK: Looking

        @Test func `check finds everything and exits 0`() async throws {
            let check = try await lab.vpower("check")
            #expect(check.code == 0, "\(check.all)")
            #expect(check.out.tooWide == [])
            let lines = check.lines.map { $0.split(separator: " ").joined(separator: " ") }
            for expected in [
                "ok feed ups1 OL CHRG, runtime 10m", "ok feed ups1 login accepted",
                "ok cluster Lab 3 hosts, 14 guests on; HA on, DRS fullyAutomated",
                "ok cluster Lab vCSA is vcsa01 on esx2.lab",
                "ok cluster Lab vpower's user has every privilege it needs",
                "note cluster Lab mid-notools has no Tools: it will be powered off",
                "ok host esx1.lab SSH, hostd and 5 guests",
                "ok host esx1.lab SOAP, hostd and 5 guests",
                "ok host esx2.lab SSH, hostd and 5 guests",
                "ok host esx3.lab SSH, hostd and 4 guests",
            ] {
                #expect(lines.contains(expected), "\(expected) is not in \(check.all)")
            }
            #expect(lines.joined(separator: " ").contains("3 hosts will count as down when silent"))
            #expect(!check.out.contains("BAD"))
            #expect(lines.last == "everything is there, 2 notes")
            #expect(try await changed() == [])
        }

        @Test func `check names what is wrong and exits 1`() async throws {
            let site = try lab.changedSite("bad-check.yaml") { text in
                var text = text.replacing("vcsa: vcsa01", with: "vcsa: nobody")
                text.replace("name: esx3.lab", with: "name: esx9.lab", maxReplacements: 1)
                return text
            }
            let check = try await lab.vpower("check", site: site)
            #expect(check.code == 1, "\(check.all)")
            let bad = check.lines.filter { $0.hasPrefix("BAD ") }
            #expect(bad.contains { $0.contains("nobody") }, "\(check.all)")
            #expect(bad.contains { $0.contains("host esx3.lab is not in the site file") })
            #expect(bad.contains { $0.contains("host esx9.lab is not in the cluster") })
            // Its guests are looked at all the same.
            #expect(check.lines.last == "4 things BAD, 3 notes", "\(check.all)")
            // Who answers for esx9 is esx3.
            #expect(check.out.contains("calls itself esx3.lab"), "\(check.all)")
            #expect(check.out.tooWide == [])
        }

        @Test func `check names what vpower's user may not do, and init prints its role`()
            async throws
        {
            let powerOff = "VirtualMachine.Interact.PowerOff"
            #expect(try await lab.say("withhold \(powerOff) Host.Inventory.EditCluster") == "ok")
            let check = try await lab.vpower("check")
            #expect(try await lab.say("withhold") == "ok")
            #expect(check.code == 1, "\(check.all)")
            #expect(check.out.tooWide == [])
            let bad = check.lines.filter { $0.hasPrefix("BAD ") }
            #expect(bad.count == 2, "\(check.all)")
            let text = check.lines.joined(separator: " ").split(separator: " ")
                .joined(separator: " ")
            #expect(text.contains("change HA, DRS and DPM: Host.Inventory.EditCluster"))
            #expect(text.contains("\(powerOff) is missing on"), "\(check.all)")
            #expect(text.contains("and 7 more"), "\(check.all)")
            #expect(text.contains("`vpower init --role` prints"), "\(check.all)")
            let role = try await lab.vpower("init", "--role", "--user", "ups@example.org")
            #expect(role.code == 0, "\(role.all)")
            #expect(role.out.tooWide == [])
            for privilege in [powerOff, "Global.Settings", "Host.Inventory.EditCluster"] {
                #expect(role.lines.count { $0.contains(privilege) } == 2, "\(role.all)")
            }
            // Both tools are given the same, and nothing that every role has.
            let ids = role.lines.map { $0.filter { !" \\',".contains($0) } }
                .filter { $0.wholeMatch(of: /(Global|Host|System|Virtual)[A-Za-z.]+/) != nil }
            #expect(ids.count == 16, "\(ids)")
            #expect(ids.prefix(8) == ids.suffix(8))
            #expect(!ids.contains { $0.hasPrefix("System.") })
            #expect(role.out.contains("global permission"))
            let group = "SystemConfiguration.Administrators"
            #expect(role.out.contains("govc sso.group.update -a 'ups' \(group)"))
            #expect(role.out.contains("-principal 'ups@example.org' -role vpower"))
            #expect(role.out.contains("-Principal 'EXAMPLE.ORG\\ups'"))
            for user in ["ups", "a@b@c", "ups'; reboot@x", "ups@", "@x"] {
                let refused = try await lab.vpower("init", "--role", "--user", user)
                #expect(refused.code == 64, "\(user): \(refused.all)")
            }
        }

        @Test func `check says who has to be let do what only REST has`() async throws {
            let group = "SystemConfiguration.Administrators"
            func words(_ outcome: VpowerProgram.Outcome) -> String {
                outcome.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
            let well = try await lab.vpower("check")
            #expect(well.code == 0, "\(well.all)")
            #expect(words(well).contains("it is told to power itself off"), "\(well.all)")
            #expect(try await lab.say("withhold \(group) System.Read") == "ok")
            let site = try lab.changedSite("rest.yaml") {
                $0.replacing(
                    "      certificate:", with: "      guestPower: rest\n      certificate:",
                    maxReplacements: 1
                ).replacing("guests: [\"app-*\"]", with: "tags: [Tier/first]")
            }
            let check = try await lab.vpower("check", site: site)
            #expect(try await lab.say("withhold") == "ok")
            #expect(check.code == 1, "\(check.all)")
            #expect(check.out.tooWide == [])
            let text = words(check)
            #expect(text.contains("may not read hosts and guests: System.Read is missing on"))
            #expect(text.contains("tiers choose by tags, and no guest shows one"), "\(check.all)")
            #expect(text.contains("guests are stopped and started over REST"), "\(check.all)")
            #expect(text.contains("is not in the SSO group \(group)"), "\(check.all)")
        }

        @Test func `trap 4.3: check tells a host's lockdown mode`() async throws {
            #expect(try await lab.say("lockdown esx1.lab strict") == "ok")
            let check = try await lab.vpower("check")
            #expect(try await lab.say("lockdown esx1.lab disabled") == "ok")
            let text = check.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(text.contains("host esx1.lab lockdown mode is strict"), "\(check.all)")
            #expect(!text.contains("host esx3.lab lockdown"), "\(check.all)")
            #expect(try await lab.say("lockdown esx9.lab strict").hasPrefix("no such host"))
        }

        @Test func `check and trust tell what a host's management controller says`() async throws {
            let folder = "\(lab.directory)/bmc"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            let bmc = try await LabRedfish.start(
                Repository.path(".build/venv/bin/sushy-emulator"), in: folder,
                [
                    .init(id: "11111111-1111-4111-8111-111111111111", isOn: true),
                    .init(id: "22222222-2222-4222-8222-222222222222", isOn: false),
                ])
            try LabRedfish.password.write(to: "\(folder)/password", rights: 0o600)
            func site(_ system: String) throws -> String {
                try lab.changedSite("bmc.yaml") {
                    $0.replacing(
                        "        feeds:",
                        with: """
                                    bmc:
                                      address: 127.0.0.1
                                      port: \(bmc.port)
                                      user: \(LabRedfish.user)
                                      password: file:\(folder)/password
                                      certificate:
                                        sha256: \(bmc.sha256)
                                      system: \(system)
                                    feeds:
                            """, maxReplacements: 1)
                }
            }
            let on = try site("11111111-1111-4111-8111-111111111111")
            let well = try await lab.vpower("check", site: on)
            let trust = try await lab.vpower("trust", site: on)
            let other = try site("22222222-2222-4222-8222-222222222222")
            let wrong = try await lab.vpower("check", site: other)
            await bmc.stop()
            let gone = try await lab.vpower("check", site: other)
            #expect(well.code == 0, "\(well.all)")
            #expect(well.all.contains("its BMC says that it is on"), "\(well.all)")
            #expect(trust.lines.contains { $0.hasPrefix("BMC of host esx1.lab 127.0.0.1:") })
            for outcome in [wrong, gone] {
                #expect(outcome.code == 1, "\(outcome.all)")
                #expect(outcome.out.tooWide == [])
            }
            #expect(wrong.all.contains("its BMC says that it is off: is it"), "\(wrong.all)")
            #expect(gone.all.contains("the BMC of host esx1.lab: "), "\(gone.all)")
        }

        @Test func `what the lab's vCenter does on request is survived`() async throws {
            for word in ["pages 1", "expire"] { #expect(try await lab.say(word) == "ok") }
            let small = try await lab.vpower("check")
            #expect(small.code == 0, "\(small.all)")
            #expect(try await lab.say("pages 100") == "ok")
            #expect(try await lab.say("lock") == "ok")
            let locked = try await lab.vpower("check")
            #expect(try await lab.say("unlock") == "ok")
            #expect(locked.code == 1, "\(locked.all)")
            #expect(locked.out.contains("was refused"), "\(locked.all)")
            let after = try await lab.vpower("check")
            #expect(after.code == 0, "\(after.all)")
            #expect(try await lab.say("pages 0").contains("1 or more"))
        }

        @Test
        func `check logs in over each way, says which is used, and tells a refused login once`()
            async throws
        {
            func words(_ outcome: VpowerProgram.Outcome) -> [String] {
                let text = outcome.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                return text.replacing("BAD host", with: "\nBAD host")
                    .replacing("ok host", with: "\nok host").split(separator: "\n").map(String.init)
            }
            let check = try await lab.vpower("check")
            let ways =
                "asked over SOAP, and over SSH where that fails; the boot script goes over SSH"
            for host in ["esx1.lab", "esx3.lab"] {
                #expect(
                    words(check).contains { $0.hasPrefix("ok host \(host) \(ways)") },
                    "\(check.all)")
            }
            #expect(!words(check).contains { $0.hasPrefix("ok host esx2.lab asked") })
            let site = try lab.changedSite("bad-api-password.yaml") { text in
                text.replacing("/esx.secret", with: "/ups.secret")
            }
            let refused = try await lab.vpower("check", site: site)
            #expect(refused.code == 1, "\(refused.all)")
            #expect(refused.out.tooWide == [])
            let bad = words(refused).filter { $0.hasPrefix("BAD ") }
            #expect(bad.count == 2, "\(refused.all)")
            #expect(bad.allSatisfy { $0.contains("the login of root was refused (InvalidLogin") })
            // The right password is still taken: the account is not locked.
            #expect(try await lab.vpower("check").code == 0)
        }

        @Test func `check names a host with a long name whole, and each thing once`() async throws {
            let long = "esx3.rack-17.datacentre.example"
            let site = try lab.changedSite("long.yaml") { text in
                text.replacing("name: esx3.lab", with: "name: \(long)")
                    .replacing(/sshPort: \d+/, with: "sshPort: 1")
            }
            let check = try await lab.vpower("check", site: site)
            #expect(check.code == 1, "\(check.all)")
            #expect(check.out.tooWide == [])
            let rows = check.lines.filter { $0.contains("host \(long)") }
            #expect(
                rows.contains { $0.hasPrefix("BAD   host \(long) cannot read") }, "\(check.all)")
            #expect(!rows.contains { $0.contains("host \(long): ") }, "\(check.all)")
        }

        @Test func `trust shows what is presented, as pinned, in the site file's own form`()
            async throws
        {
            let trust = try await lab.vpower("trust")
            #expect(trust.code == 0, "\(trust.all)")
            #expect(trust.lines.count { $0.contains("  as pinned") } == 6)
            #expect(trust.out.tooWide == [])
            let site = try contents(of: lab.sitePath).asLines.map { $0.drop { $0 == " " } }
            let pins = trust.lines.map { $0.drop { $0 == " " } }.filter {
                $0.hasPrefix("sha256:") || $0.hasPrefix("hostKeys:")
            }
            #expect(pins.count == 6)
            for pin in pins { #expect(site.contains(pin), "\(pin)") }
        }

        /// The lab's site file with another key pinned for esx1.
        private func otherHostKey() throws -> String {
            try lab.changedSite("other-key.yaml") { text in
                guard let key = text.firstMatch(of: /SHA256:[A-Za-z0-9+\/]{43}/)?.output
                else { return text }
                return text.replacing(key, with: "SHA256:" + String(repeating: "A", count: 43))
            }
        }

        /// The lab's site file with another certificate pinned.
        private func otherCertificate() throws -> String {
            try lab.changedSite("other-pin.yaml") { text in
                text.replacing(
                    /sha256: [0-9a-f]{64}/, with: "sha256: " + String(repeating: "0", count: 64))
            }
        }

        @Test func `another host key than the pinned one is shown and exits 77`() async throws {
            let trust = try await lab.vpower("trust", site: try otherHostKey())
            #expect(trust.code == 77, "\(trust.all)")
            #expect(trust.lines.contains { $0.hasPrefix("host esx1.lab  NOT AS PINNED") })
            #expect(trust.lines.count { $0.contains("  as pinned") } == 5)
        }

        @Test func `what is accepted is pinned, and nothing else of the site file changes`()
            async throws
        {
            let right = try contents(of: lab.sitePath)
            let path = try lab.changedSite("accept.yaml") { text in
                var text = text + Self.remark
                if let key = text.firstMatch(of: /SHA256:[A-Za-z0-9+\/]{43}/)?.output {
                    text = text.replacing(key, with: "SHA256:" + String(repeating: "A", count: 43))
                }
                if let sum = text.firstMatch(of: /sha256: [0-9a-f]{64}/)?.output {
                    text = text.replacing(
                        sum, with: "sha256: " + String(repeating: "0", count: 64))
                }
                return text
            }
            let key = try #require(right.firstMatch(of: /SHA256:[A-Za-z0-9+\/]{43}/)?.output)
            let sum = try #require(right.firstMatch(of: /[0-9a-f]{64}/)?.output)
            let stranger = "SHA256:" + String(repeating: "B", count: 42) + "A"

            // Only what is presented and named is taken.
            let before = try contents(of: path)
            let unseen = try await lab.vpower("trust", "--accept", stranger, site: path)
            #expect(unseen.code == 77, "\(unseen.all)")
            #expect(unseen.errors.contains("nobody presents \(stranger)"), "\(unseen.all)")
            #expect(try contents(of: path) == before)

            let taken = try await lab.vpower(
                "trust", "--accept", String(key), "--accept", "SHA256:\(sum.uppercased())",
                site: path)
            #expect(taken.code == 0, "\(taken.all)")
            #expect(taken.out.tooWide == [])
            #expect(taken.lines.count { $0.contains("  accepted") } == 2, "\(taken.all)")
            #expect(taken.lines.last == "\(path): 2 pins written")
            #expect(try contents(of: path) == right + Self.remark)

            // Once more: all is as pinned, and nothing is written.
            let again = try await lab.vpower("trust", "--accept", String(key), site: path)
            #expect(again.code == 0, "\(again.all)")
            #expect(again.lines.count { $0.contains("  as pinned") } == 6)
            let wrong = try await lab.vpower("trust", "--accept", "SHA256:short", site: path)
            #expect(wrong.code == 64, "\(wrong.all)")
        }

        /// What a person wrote at the end of the site file.
        static let remark = "# ours: äöü\r\n#   hostKeys: [\"SHA256:…\"]"

        @Test func `a pin that has no certain place is left to a person`() async throws {
            let site = try lab.changedSite("two-keys.yaml") { text in
                text.replacing(/hostKeys: \["(SHA256:[A-Za-z0-9+\/]{43})"\]/) { match in
                    let other = "SHA256:" + String(repeating: "A", count: 43)
                    return "hostKeys:\n          - \(other)\n          - \(other.dropLast())E"
                }
            }
            let key = try #require(
                try contents(of: lab.sitePath).firstMatch(of: /SHA256:[A-Za-z0-9+\/]{43}/)?.output)
            let before = try contents(of: site)
            let outcome = try await lab.vpower("trust", "--accept", String(key), site: site)
            #expect(outcome.code == 77, "\(outcome.all)")
            let words = outcome.errors.split(whereSeparator: \.isWhitespace)
                .joined(separator: " ")
            #expect(words.contains("does not change by itself: write \(key) there"))
            #expect(try contents(of: site) == before)
        }

        @Test func `another certificate than the pinned one is refused with 77`() async throws {
            let site = try otherCertificate()
            for command in ["plan", "trust"] {
                let outcome = try await lab.vpower(command, site: site)
                #expect(outcome.code == 77, "\(outcome.all)")
            }
            let plan = try await lab.vpower("plan", site: site)
            #expect(plan.out == "")
            #expect(plan.errors.contains("Try: vpower trust"), "\(plan.all)")
            let check = try await lab.vpower("check", site: site)
            #expect(check.code == 1)
            #expect(check.lines.contains { $0.hasPrefix("BAD   cluster Lab") }, "\(check.all)")
        }

        @Test func `a vCenter whose port is closed is told with 69`() async throws {
            let site = try lab.changedSite("closed.yaml") { text in
                // Port 1 is nobody's on 127.0.0.1.
                text.replacing(/\ {6}port: \d+\n/, with: "      port: 1\n")
            }
            for arguments in [["plan"], ["shutdown", "--dry-run"], ["shutdown", "--yes"]] {
                let outcome = try await VpowerProgram.run(
                    arguments, lab.environment.merging(["VPOWER_SITE": site]) { _, new in new })
                #expect(outcome.code == 69, "\(outcome.all)")
                #expect(outcome.errors.contains("Try: is vCenter on"), "\(outcome.all)")
            }
            let trust = try await lab.vpower("trust", site: site)
            #expect(trust.code == 69, "\(trust.all)")
            #expect(trust.errors.contains("vCenter at https://127.0.0.1:1: "), "\(trust.all)")
            #expect(trust.errors.contains("Try: is vCenter on"), "\(trust.all)")
        }

        @Test func `a UPS whose secret is missing hides nothing else from status and check`()
            async throws
        {
            let site = try lab.changedSite("no-ups-secret.yaml") { text in
                text.replacing("/lab/ups.secret", with: "/none.secret")
            }
            let status = try await lab.vpower("status", site: site)
            #expect(status.code == 0, "\(status.all)")
            #expect(status.out.contains("none.secret"), "\(status.all)")
            #expect(status.out.contains("cluster Lab           nothing open"), "\(status.all)")
            let resume = try await lab.vpower("resume", site: site)
            #expect(
                resume.code == 1 && resume.errors.contains("no interrupted run"), "\(resume.all)")
            #expect(resume.errors.contains("not on line power: feed ups1: secret"), "\(resume.all)")
            for told in [
                try await lab.vpower("check", site: site), try await lab.vpower("plan", site: site),
            ] {
                #expect(told.out.contains("none.secret"), "\(told.all)")
                // One thing on its own lines, without the words of a command that ended by it.
                #expect(
                    !told.out.contains("vpower: ") && !told.out.contains("Try: "), "\(told.all)")
            }
        }

        @Test func `a wrong password is refused with 77 and does not appear in the message`()
            async throws
        {
            try "not-the-password\n".write(to: "\(lab.directory)/wrong.secret")
            let site = try lab.changedSite("wrong-password.yaml") { text in
                text.replacing("/lab/vcenter.secret", with: "/wrong.secret")
            }
            let plan = try await lab.vpower("plan", site: site)
            #expect(plan.code == 77, "\(plan.all)")
            #expect(!plan.all.contains("not-the-password"))
        }

        @Test func `a secret that everybody may read is refused, with the chmod to run`()
            async throws
        {
            try "secret\n".write(to: "\(lab.directory)/open.secret", rights: 0o644)
            let site = try lab.changedSite("open-secret.yaml") { text in
                text.replacing("/lab/vcenter.secret", with: "/open.secret")
            }
            let plan = try await lab.vpower("plan", site: site)
            #expect(plan.code != 0, "\(plan.all)")
            #expect(plan.errors.contains("chmod"), "\(plan.all)")
            #expect(plan.errors.contains("open.secret"), "\(plan.all)")
        }

        // MARK: Plans

        @Test func `plan fits 80 columns and has the phases in order`() async throws {
            let plan = try await lab.vpower("plan", "--cluster", "Lab")
            #expect(plan.code == 0, "\(plan.all)")
            #expect(plan.out.tooWide == [])
            #expect(plan.errors == "")
            let phases = plan.lines.filter { $0.contains("at most") }.map {
                $0.prefix(22).split(separator: " ").joined(separator: " ")
            }
            #expect(
                phases == [
                    "freeze", "retreat", "ha agents", "arm", "guests: apps", "guests: middle",
                    "guests: databases", "vcsa", "hosts", "vcsa's host",
                ])
            // Beside the battery: 600 s of runtime less the lab's margin of 5 s.
            #expect(
                plan.lines.contains { $0.hasPrefix("Deadline 9m 55s from when") }, "\(plan.all)")
            #expect(plan.lines.contains { $0.hasPrefix("Start no later than ") }, "\(plan.all)")
            let rows = plan.lines.filter { $0.hasPrefix("freeze ") }
            #expect(rows.count == 2, "\(plan.all)")
            // vCLS guests are nobody's to shut down; a line feed in a name is shown, not printed.
            #expect(!plan.out.contains("vCLS-"))
            #expect(plan.out.contains("app-two\\u{a}lines"))
        }

        struct Plan: Decodable {
            struct Phase: Decodable {
                var name: String
                var needs: [String]
                var budgetSeconds: Double
                var startSeconds: Double
                var expectedSeconds: Double
                var latestStartSeconds: Double
                var steps: [String]
            }
            var kind: String
            var cluster: String
            var digest: String
            var criticalPath: [String]
            var expectedSeconds: Double
            var deadlineSeconds: Double
            var startNoLaterThanSeconds: Double
            var warnings: [String]
            var phases: [Phase]
        }

        @Test func `plan and dry-run print the same plan as JSON`() async throws {
            for arguments in [["plan"], ["shutdown", "--dry-run"]] {
                let outcome = try await VpowerProgram.run(
                    arguments + ["--format", "json"], lab.environment)
                #expect(outcome.code == 0, "\(outcome.all)")
                let plan: Plan = try decoded(outcome.out)
                #expect(plan.kind == "cluster" && plan.cluster == "Lab")
                #expect(plan.phases.first?.steps == ["HA off, DRS manual, DPM off"])
                let vcsa = try #require(plan.phases.first { $0.name == "vcsa" })
                #expect(Set(vcsa.needs) == ["guests: databases", "retreat"])
                #expect(plan.phases.allSatisfy { $0.budgetSeconds > 0 })
                #expect(plan.deadlineSeconds == 595)
                #expect(plan.startNoLaterThanSeconds == 595 - plan.expectedSeconds)
                #expect(plan.criticalPath.first == "freeze")
                #expect(plan.criticalPath.last == "vcsa's host")
                let last = try #require(plan.phases.last)
                #expect(last.startSeconds + last.expectedSeconds == plan.expectedSeconds)
                #expect(last.latestStartSeconds == 595 - last.expectedSeconds)
            }
        }

        @Test func `only the plan that was reviewed is carried out`() async throws {
            let shown = try await lab.vpower("plan", "--format", "json")
            let plan: Plan = try decoded(shown.out)
            let same = try await lab.vpower("shutdown", "--dry-run", "--plan", plan.digest)
            #expect(same.code == 0, "\(same.all)")
            #expect(same.lines.contains("Digest: \(plan.digest)"))
            let site = try lab.changedSite("other-plan.yaml") { text in
                text.replacing("      vcsa: 20s", with: "      vcsa: 21s")
            }
            for arguments in [["--dry-run"], ["--yes"]] {
                let other = try await VpowerProgram.run(
                    ["shutdown", "--plan", plan.digest] + arguments,
                    lab.environment.merging(["VPOWER_SITE": site]) { _, new in new })
                #expect(other.code == 77, "\(other.all)")
                #expect(other.errors.contains("reviewed  \(plan.digest)"), "\(other.all)")
                #expect(other.errors.contains("now       "), "\(other.all)")
                #expect(other.out == "")
            }
            #expect(try await changed() == [])
            let odd = try await lab.vpower("shutdown", "--dry-run", "--plan", "0f1e")
            #expect(odd.code == 64, "\(odd.all)")
        }

        @Test func `a plan that does not fit the battery says so and names what costs most`()
            async throws
        {
            let site = try lab.changedSite("short.yaml") { text in
                text.replacing("      margin: 5s", with: "      margin: 590s")
            }
            let plan = try await lab.vpower("plan", site: site)
            #expect(plan.code == 0, "\(plan.all)")
            #expect(plan.out.contains("! does not fit the battery: "), "\(plan.all)")
            #expect(plan.out.contains("Too late by "), "\(plan.all)")
            let check = try await lab.vpower("check", site: site)
            #expect(check.code == 0, "\(check.all)")
            let words = check.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("a shutdown does not fit the battery: "), "\(check.all)")
            #expect(words.contains("what costs most is guests: apps (8s)"), "\(check.all)")
        }

        @Test func `a feed that cannot be read is a warning of a plan, not a failure`()
            async throws
        {
            let site = try lab.changedSite("no-feed.yaml") { text in
                text.replacing(/server: 127.0.0.1:\d+\n/, with: "server: 127.0.0.1:1\n")
            }
            let plan = try await lab.vpower("plan", site: site)
            #expect(plan.code == 0, "\(plan.all)")
            #expect(plan.out.contains("! feed ups1: "), "\(plan.all)")
            #expect(plan.out.contains("The deadline is not known"), "\(plan.all)")
            #expect(plan.out.tooWide == [])
        }

        @Test func `a dry run changes nothing`() async throws {
            let before = try await lab.state()
            let outcome = try await lab.vpower("shutdown", "--cluster", "Lab", "--dry-run")
            #expect(outcome.code == 0, "\(outcome.all)")
            #expect(try await lab.state() == before)
            #expect(try await changed() == [])
            let status = try await lab.vpower("status")
            #expect(status.out.contains("nothing open"), "a dry run left something open")
        }

        @Test func `without --yes and without a terminal nothing is shut down, exit 64`()
            async throws
        {
            let outcome = try await lab.vpower("shutdown", "--cluster", "Lab")
            #expect(outcome.code == 64, "\(outcome.all)")
            #expect(outcome.errors.contains("Try: the same with --yes"))
            #expect(try await changed() == [])
        }

        @Test(arguments: ["plan", "shutdown", "restore", "resume"])
        func `a cluster that the site file does not have exits 64 and names those it has`(
            command: String
        ) async throws {
            let outcome = try await lab.vpower(command, "--cluster", "Lba")
            #expect(outcome.code == 64, "\(outcome.all)")
            #expect(outcome.errors.contains("--cluster with one of: Lab"))
        }

        @Test func `with nothing open, restore and resume say so, exit 1 and change nothing`()
            async throws
        {
            let restore = try await lab.vpower("restore")
            #expect(restore.code == 1)
            #expect(restore.errors.contains("no open outage"), "\(restore.all)")
            let resume = try await lab.vpower("resume")
            #expect(resume.code == 1)
            #expect(resume.errors.contains("no interrupted run"), "\(resume.all)")
            #expect(try await changed() == [])
        }

        // MARK: Status

        struct Status: Decodable {
            struct Feed: Decodable {
                var feed: String
                var status: String?
                var runtimeSeconds: Double?
                var chargePercent: Int?
            }
            struct Cluster: Decodable {
                var cluster: String
                var outage: String?
                var interrupted: Bool
            }
            var site: String
            var feeds: [Feed]
            var clusters: [Cluster]
        }

        @Test func `status tells the feeds and that nothing is open`() async throws {
            let told = try await lab.vpower("status")
            #expect(told.code == 0, "\(told.all)")
            #expect(told.out.tooWide == [])
            #expect(told.lines.first == "site lab")
            #expect(told.out.contains("OL CHRG, 100 % charge, 10m of runtime"), "\(told.all)")
            let status: Status = try decoded(
                try await lab.vpower("status", "--format", "json").out)
            #expect(status.feeds.map(\.feed) == ["ups1"])
            #expect(status.feeds.first?.status == "OL CHRG")
            #expect(status.feeds.first?.chargePercent == 100)
            #expect(status.clusters.map(\.cluster) == ["Lab"])
            #expect(status.clusters.first?.interrupted == false)
            #expect(status.clusters.first?.outage == nil)
        }

        @Test func `status tells a UPS that does not answer, and exits 0`() async throws {
            let site = try lab.changedSite("no-ups.yaml") { text in
                text.replacing(/server: 127\.0\.0\.1:\d+/, with: "server: 127.0.0.1:1")
            }
            let status = try await lab.vpower("status", site: site)
            #expect(status.code == 0, "\(status.all)")
            #expect(!status.out.contains("OL CHRG"))
            let told = status.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(
                told.contains(
                    "no connection to upsd at 127.0.0.1:1: nothing listens there; is upsd running?"),
                "\(status.all)")
            #expect(status.out.tooWide == [], "\(status.all)")
        }

        // MARK: Boot scripts

        @Test func `render-localsh prints a script that shellcheck accepts, and installs nothing`()
            async throws
        {
            let before = try lab.localSh("esx1.lab")
            let script = try await lab.vpower("render-localsh", "--host", "esx1.lab")
            #expect(script.code == 0, "\(script.all)")
            #expect(script.lines.first == "# >>> vpower boot script")
            #expect(script.lines.last { !$0.isEmpty } == "# <<< vpower boot script")
            let judged = try await VpowerProgram.run(
                "/usr/bin/shellcheck", ["-s", "sh", "-"], input: script.out)
            #expect(judged.code == 0, "make setup installs shellcheck; \(judged.all)")
            #expect(try lab.localSh("esx1.lab") == before)
        }

        @Test
        func `install puts the script on the host, twice is once, and uninstall takes it out`()
            async throws
        {
            let before = try lab.localSh("esx1.lab")
            let absent = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--check")
            #expect(absent.code == 1, "\(absent.all)")
            #expect(absent.out.contains("no boot script is in it"), "\(absent.all)")

            let first = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--install")
            #expect(first.code == 0, "\(first.all)")
            #expect(first.out.tooWide.allSatisfy { $0.hasPrefix("  /") })
            #expect(first.out.contains("4 guests; local.sh installed and read back"))
            let lead = try #require(first.lines.firstIndex(of: "what was in it before:"))
            let kept = first.lines[lead + 1].dropFirst(2)
            #expect(try contents(of: String(kept)) == before)
            try await expectSum(of: first)
            let saves = try await lab.touched().count { $0 == .armed }

            // The same again: no change, no backup, no other version.
            let second = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--install")
            #expect(second.code == 0, "\(second.all)")
            #expect(
                second.lines.first == "esx1.lab: 4 guests; local.sh was so already, and is saved")
            #expect(second.lines.count == 2, "\(second.all)")
            try await expectSum(of: second)
            #expect(try await lab.touched().count { $0 == .armed } == saves)
            let check = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--check")
            #expect(check.code == 0, "\(check.all)")
            let shown = try await lab.vpower("render-localsh", "--host", "esx1.lab")
            #expect(shown.errors.contains("1 version of what else was in its"), "\(shown.all)")
            #expect(shown.errors.contains("\n  \(kept)\n"), "\(shown.all)")
            #expect(shown.lines.first == "# >>> vpower boot script")

            try await expectDrift()
            let removed = try await lab.vpower(
                "render-localsh", "--host", "esx1.lab", "--uninstall")
            #expect(removed.code == 0, "\(removed.all)")
            #expect(try lab.localSh("esx1.lab") == before + "# mine\n")
            try lab.writeLocalSh("esx1.lab", before)
            let kinds = try await lab.touched().filter { $0 == .armed || $0 == .disarmed }
            #expect(kinds.first == .armed && kinds.last == .disarmed)
        }

        /// Somebody changes the file: told without being written, then what is saved is explained.
        private func expectDrift() async throws {
            let installed = try lab.localSh("esx1.lab")
            let guest = try #require(installed.firstMatch(of: /\[datastore 1\] [^']+\.vmx/)?.output)
            let changed =
                installed.replacing(guest, with: "[datastore 1] other/other.vmx")
                + "# mine\n"
            try lab.writeLocalSh("esx1.lab", changed)
            let check = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--check")
            #expect(check.code == 1, "\(check.all)")
            #expect(check.out.tooWide == [])
            let words = check.out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            for finding in [
                "its boot script is not what would be installed now",
                "what is outside of vpower's block was changed since it was installed",
                "it was changed since vpower saw it saved",
                "saves by itself at minute 1 of each hour",
            ] { #expect(words.contains(finding), "\(finding): \(check.all)") }
            #expect(try lab.localSh("esx1.lab") == changed)
            let third = try await lab.vpower("render-localsh", "--host", "esx1.lab", "--install")
            #expect(third.code == 0, "\(third.all)")
            #expect(third.lines.contains("-# mine"), "\(third.all)")
            #expect(third.out.contains("`-` is in the live file, and new since the last save"))
        }

        /// The sum that was told is that of the file on the host.
        private func expectSum(of installed: VpowerProgram.Outcome) async throws {
            let told = installed.lines.first { $0.hasPrefix("sha256 ") }?.dropFirst(7)
            let file = "\(lab.directory)/lab/esx1.lab/root/etc/rc.local.d/local.sh"
            let seen = try await VpowerProgram.run("/usr/bin/sha256sum", [file])
            #expect(told.map(String.init) == String(seen.out.prefix(64)), "\(installed.all)")
        }

        @Test func `a host that the site file does not have exits 64 and names those it has`()
            async throws
        {
            let outcome = try await lab.vpower("render-localsh", "--host", "esx9.lab")
            #expect(outcome.code == 64, "\(outcome.all)")
            #expect(outcome.errors.contains("--host with one of: esx1.lab, esx2.lab, esx3.lab"))
        }

        @Test func `install, uninstall and check at once are wrong use`() async throws {
            for pair in [["--install", "--uninstall"], ["--check", "--install"]] {
                let outcome = try await VpowerProgram.run(
                    ["render-localsh", "--host", "esx1.lab"] + pair, lab.environment)
                #expect(outcome.code == 64, "\(outcome.all)")
            }
        }

        @Test func `a changed host key is refused with 77 and nothing is installed`() async throws {
            let before = try lab.localSh("esx1.lab")
            let outcome = try await lab.vpower(
                "render-localsh", "--host", "esx1.lab", "--install", site: try otherHostKey())
            #expect(outcome.code == 77, "\(outcome.all)")
            #expect(outcome.out == "")
            #expect(outcome.errors.contains("Try: vpower trust"))
            #expect(try lab.localSh("esx1.lab") == before)
        }

        @Test func `a state directory that cannot be made stops a run before it begins`()
            async throws
        {
            let outcome = try await lab.vpower(
                "shutdown", "--yes", "--state", "/proc/nonexistent/state")
            #expect(outcome.code == 1, "\(outcome.all)")
            #expect(outcome.errors.contains("--state"), "\(outcome.all)")
            #expect(try await changed() == [])
        }
    }
}
