import FoundationEssentials
import Glibc
import PowerLab
import PowerModel
import Testing

extension CommandTests {
    @Suite struct RunbookTests {
        /// Every page of the folder; a new page without a test of its commands fails here.
        static let pages = [
            "after-an-outage.md", "first-setup-with-nut.md", "ha-cluster-with-vcsa-inside.md",
            "interrupted-run.md", "journal-damaged.md", "local-sh-by-hand.md",
            "secure-boot.md", "several-clusters-and-shedding.md",
            "ssh-only-for-the-run.md", "stop-a-shutdown.md",
            "vpower-inside-the-cluster.md", "vsan-cluster.md",
        ]

        @Test func `every page has its parts in order, do not first`() throws {
            let folder = Repository.path("Runbooks")
            let found = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(found == Self.pages)
            for name in found {
                let page = try Page("\(folder)/\(name)")
                let parts = page.text.asLines.filter { $0.hasPrefix("## ") }
                #expect(
                    parts == [
                        "## Do not", "## You are here when", "## What to do",
                        "## What you should see", "## How to go back",
                    ], "\(name)")
                #expect(page.seen.filter { $0.count > 80 } == [], "\(name)")
            }
        }

        /// Executes a page's commands in order and compares what they print with what the page
        /// says. Before a restore of hosts that are off, the power comes back, as an operator
        /// would see to.
        private func follow(
            _ name: String, _ lab: CommandLab, printed: [String] = [],
            before: (String) async throws -> Void = { _ in }
        ) async throws -> [String] {
            let page = try Page(Repository.path("Runbooks/\(name)"))
            try #require(!page.commands.isEmpty, "\(name) has no commands")
            #expect(!page.seen.isEmpty, "\(name) shows nothing")
            var printed = printed
            for command in page.commands {
                if command.line.hasPrefix("vpower restore"), try await lab.state().hostsOn.isEmpty {
                    #expect(page.text.contains("Power the hosts on"), "\(name)")
                    try await lab.cyclePower()
                }
                try await before(command.line)
                // Through a shell, as a person types it.
                let outcome = try await VpowerProgram.run(
                    "/bin/sh", ["-c", command.line], lab.environment)
                #expect(outcome.code == command.code, "\(name): \(outcome.all)")
                // A script is not for reading at a terminal's width.
                let isScript = command.line.contains("render-localsh")
                if !isScript { #expect((outcome.out + outcome.errors).tooWide == []) }
                printed += outcome.lines + outcome.errors.asLines
            }
            let notSeen = page.notSeen(in: printed)
            let all = printed.joined(separator: "\n")
            #expect(notSeen == [], "\(name) shows what was not printed in this order:\n\(all)")
            return printed
        }

        /// Everything is on and nothing of vpower's is left.
        private func expectAsBefore(_ lab: CommandLab, _ before: CommandLab.State) async throws {
            let after = try await lab.state()
            #expect(after.hostsOn == before.hostsOn)
            // vCLS guests are new ones after a retreat.
            func ordinary(_ state: CommandLab.State) -> [String] {
                state.guestsOn.filter { !$0.hasPrefix("vCLS") }
            }
            #expect(ordinary(after) == ordinary(before))
            #expect(after.automation.ha == before.automation.ha)
            #expect(after.automation.drsLevel == before.automation.drsLevel)
            #expect(after.automation.dpm == before.automation.dpm)
            #expect(after.automation.vcls.keepsGuests == before.automation.vcls.keepsGuests)
            for host in ["esx1.lab", "esx2.lab", "esx3.lab"] {
                #expect(!(try lab.localSh(host)).contains("vpower"), "\(host)")
            }
        }

        @Test func `first set-up with NUT`() async throws {
            try await CommandLab.with { lab in
                _ = try await follow("first-setup-with-nut.md", lab)
                // The page says that until a run has begun nothing is changed.
                #expect(try await lab.touched() == [])
            }
        }

        @Test func `an HA cluster with vCSA inside`() async throws {
            try await CommandLab.with { lab in
                let before = try await lab.state()
                // A block that is new since the last save: auto-backup tells every line of it.
                for way in ["--install", "--uninstall"] {
                    let done = try await lab.vpower("render-localsh", "--host", "esx1.lab", way)
                    #expect(done.code == 0, "\(done.all)")
                }
                let printed = try await follow("ha-cluster-with-vcsa-inside.md", lab)
                let drift = printed.filter { $0.contains("! esx1.lab: local.sh: ") }
                #expect(drift.count == 6, "\(drift)")
                #expect(drift.last?.hasSuffix(" more such lines") == true, "\(drift)")
                try await expectAsBefore(lab, before)
                let log = try await lab.log()
                let order = [LabEvent.Kind.haOff, .guestAsked, .vcenterDown, .hostTold]
                let firsts = order.map { kind in log.firstIndex { $0.kind == kind } ?? -1 }
                #expect(firsts == firsts.sorted() && !firsts.contains(-1), "\(firsts)")
                let violations = log.filter { $0.kind == .guestOn && $0.detail.contains("HA") }
                #expect(violations == [])
            }
        }

        @Test func `vpower in a guest of the cluster`() async throws {
            // Longer than what the page's hosts need: as long as the site file says.
            try await CommandLab.with("--output-delay", "20") { lab in
                let before = try await lab.state()
                let inside = try lab.changedSite("inside.yaml") { text in
                    text.replacing(
                        "    defaultTier:", with: "    controller: db-replica\n    defaultTier:"
                    ).replacing(/leave: \d+s/, with: "leave: 20s")
                }
                try contents(of: inside).write(to: lab.sitePath)
                _ = try await follow("vpower-inside-the-cluster.md", lab) { command in
                    guard command == "vpower status" else { return }
                    // Nobody is there any more to see the last host go.
                    let deadline = ContinuousClock.now + .seconds(30)
                    while try await !lab.state().hostsOn.isEmpty {
                        try #require(ContinuousClock.now < deadline, "the last host is on")
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
                try await expectAsBefore(lab, before)
                let log = try await lab.log()
                let own = try #require(log.last { $0.kind == .hostOff })
                #expect(own.object == "esx3.lab")
                #expect(!log.contains { $0.kind == .guestLost })
                #expect(log.last { $0.kind == .guestOff }?.number ?? 0 < own.number)
            }
        }

        @Test func `a vSAN cluster`() async throws {
            try await CommandLab.with("--vsan") { lab in
                let before = try await lab.state()
                _ = try await follow("vsan-cluster.md", lab)
                try await expectAsBefore(lab, before)
            }
        }

        @Test func `hosts with Secure Boot`() async throws {
            try await CommandLab.with("--secure-boot") { lab in
                let before = try await lab.state()
                _ = try await follow("secure-boot.md", lab)
                try await expectAsBefore(lab, before)
                let log = try await lab.log()
                let starters = Set(log.filter { $0.kind == .guestOn }.map(\.detail))
                #expect(starters.isSuperset(of: ["autostart", "esx2.lab"]), "\(starters)")
                #expect(!starters.contains("boot script"))
                let set = log.filter { $0.kind == .autostartSet }
                    .map { "\($0.object) \($0.detail)" }.sorted()
                #expect(
                    set == [
                        "esx1.lab as before", "esx1.lab on", "esx3.lab as before", "esx3.lab on",
                    ])
            }
        }

        @Test func `SSH on the hosts only for the run`() async throws {
            try await CommandLab.with("--ssh-stopped") { lab in
                let before = try await lab.state()
                #expect(before.sshOn == [])
                let printed = try await follow("ssh-only-for-the-run.md", lab) { command in
                    // Not by the page's own words: at the end of each command but the shutdown.
                    if command.hasPrefix("vpower restore") { return }
                    let sshOn = try await lab.state().sshOn
                    #expect(sshOn == [], "before \(command)")
                }
                try await expectAsBefore(lab, before)
                #expect(try await lab.state().sshOn == [])
                let log = try await lab.log()
                // Two commands, the shutdown, and the restore after the boot.
                #expect(log.count { $0.kind == .sshStarted } == 3 * 4, "\(printed)")
                #expect(log.count { $0.kind == .sshStopped } == 3 * 3)
                #expect(log.contains { $0.kind == .armed })
            }
        }

        @Test func `hosts that have no helper to stop vSAN with are left alone`() async throws {
            try await CommandLab.with("--vsan", "--release", "6.7") { lab in
                let look = try await lab.vpower("check")
                #expect(look.code == 1 && look.out.contains("6.7U3"), "\(look.all)")
                let down = try await lab.vpower("shutdown", "--cluster", "Lab", "--yes")
                #expect(down.code == 1 && down.errors.contains("6.7U3"), "\(down.all)")
                #expect(try await lab.touched() == [])
            }
        }

        @Test func `stop a shutdown`() async throws {
            try await CommandLab.with { lab in
                let before = try await lab.state()
                let run = try await RunningShutdown(lab, until: "> guests: middle")
                _ = try await follow("stop-a-shutdown.md", lab)
                let (code, told) = try await run.end()
                #expect(code == 1, "\(told)")
                try await expectAsBefore(lab, before)
            }
        }

        @Test func `several clusters and shedding`() async throws {
            try await CommandLab.with { lab in
                _ = try await follow("several-clusters-and-shedding.md", lab)
                #expect(try await lab.touched() == [])
            }
        }

        @Test func `local.sh by hand`() async throws {
            try await CommandLab.with { lab in
                let before = try lab.localSh("esx1.lab")
                _ = try await follow("local-sh-by-hand.md", lab)
                let kinds = try await lab.touched()
                #expect(kinds.contains(.armed))
                #expect(try lab.localSh("esx1.lab") == before)
            }
        }

        @Test func `after an outage`() async throws {
            try await CommandLab.with { lab in
                let down = try await lab.vpower("shutdown", "--cluster", "Lab", "--yes")
                #expect(down.code == 0, "\(down.all)")
                try await lab.cyclePower()
                let back = try await lab.vpower("restore")
                #expect(back.code == 0, "\(back.all)")
                let touched = try await lab.touched()
                _ = try await follow("after-an-outage.md", lab)
                #expect(try await lab.touched() == touched)
            }
        }

        @Test func `a journal that cannot be used`() async throws {
            try await CommandLab.with { lab in
                let state = "\(lab.directory)/state"
                try #require(mkdir(state, 0o700) == 0)
                try "not a journal\n".write(to: "\(state)/journal.sqlite")
                let shutdown = try await lab.vpower("shutdown", "--yes")
                #expect(shutdown.code == 1, "\(shutdown.all)")
                #expect(shutdown.errors.contains("Try: Runbooks/journal-damaged.md"))
                #expect(try await lab.touched() == [])
                var told = ""
                _ = try await follow("journal-damaged.md", lab) { command in
                    // The page has the daemon restarted between the two looks.
                    guard told.isEmpty, command == "vpower status",
                        FileManager.default.fileExists(atPath: "\(lab.directory)/looked")
                    else {
                        try "".write(to: "\(lab.directory)/looked")
                        return
                    }
                    told = try await runDaemon(lab, until: "set aside")
                }
                #expect(told.contains("set aside as \(state)/journal.sqlite.damaged-"), "\(told)")
                let names = try FileManager.default.contentsOfDirectory(atPath: state)
                let aside = try #require(names.first { $0.contains("damaged") })
                #expect(try contents(of: "\(state)/\(aside)") == "not a journal\n")
            }
        }

        @Test func `a journal of a newer version stops no daemon, and is left alone`() async throws
        {
            try await CommandLab.with { lab in
                let file = "\(lab.directory)/state/journal.sqlite"
                _ = try await runDaemon(lab, until: "vpower")
                func sqlite(_ words: String) async throws -> String {
                    try await VpowerProgram.run("/usr/bin/sqlite3", [file, words]).out
                }
                _ = try await sqlite("PRAGMA user_version = 9")
                let told = try await runDaemon(lab, until: "recorded in")
                #expect(told.contains("a newer vpower wrote it"), "\(told)")
                #expect(told.contains("recorded in \(lab.directory)/state/run"), "\(told)")
                #expect(try await sqlite("PRAGMA user_version") == "9\n")
                let shutdown = try await lab.vpower("shutdown", "--yes")
                #expect(shutdown.code == 1, "\(shutdown.all)")
                #expect(shutdown.errors.contains("Try: install the vpower that wrote it"))
                #expect(try await lab.touched() == [])
            }
        }

        /// Starts the daemon and ends it when it has said this; all that it said.
        private func runDaemon(_ lab: CommandLab, until words: String) async throws -> String {
            let errors = "\(lab.directory)/watch.err"
            let child = try Child(
                VpowerProgram.path,
                [
                    "watch", "--socket", "\(lab.directory)/notify", "--spool",
                    "\(lab.directory)/spool",
                ], environment: VpowerProgram.surroundings(lab.environment),
                output: "\(lab.directory)/watch.out", errors: errors)
            _ = try await until(.seconds(30)) {
                try contents(of: errors).contains(words) || child.status != nil
            }
            child.signal(SIGTERM)
            let status = try await child.status(within: .seconds(60))
            try await child.stop()
            try #require(status != nil, "the daemon did not end")
            return try contents(of: errors)
        }

        @Test func `an interrupted run`() async throws {
            try await CommandLab.with { lab in
                let before = try await lab.state()
                try await interruptShutdown(lab)
                let shown = try await lab.vpower("status")
                #expect(shown.out.contains("interrupted in: "), "\(shown.all)")
                let stopped = try await lab.log().count
                _ = try await follow("interrupted-run.md", lab)
                try await expectAsBefore(lab, before)
                // What was off before the resume was not asked again, and there was such.
                let log = try await lab.log()
                let off = Set(log.prefix(stopped).filter { $0.kind == .guestOff }.map(\.object))
                let later = log.dropFirst(stopped).filter { $0.kind == .guestAsked }.map(\.object)
                #expect(off.count >= 4, "the run was stopped too early")
                #expect(later.count >= 4, "the run was stopped too late")
                #expect(off.isDisjoint(with: later))
            }
        }

        /// Starts a shutdown and ends it, kindly, while the guests go down.
        private func interruptShutdown(_ lab: CommandLab) async throws {
            let errors = "\(lab.directory)/shutdown.err"
            let child = try Child(
                VpowerProgram.path, ["shutdown", "--cluster", "Lab", "--yes"],
                environment: VpowerProgram.surroundings(lab.environment),
                output: "\(lab.directory)/shutdown.out", errors: errors)
            let isThere = try await until(.seconds(60)) {
                try contents(of: errors).contains("> guests: middle") || child.status != nil
            }
            child.signal(SIGTERM)
            let status = try await child.status(within: .seconds(60))
            try await child.stop()
            let told = try contents(of: errors)
            try #require(isThere && status != nil, "\(told)")
            #expect(status.map(VpowerProgram.exitCode) == 75, "\(told)")
            #expect(told.contains("run interrupted"), "\(told)")
        }
    }
}
