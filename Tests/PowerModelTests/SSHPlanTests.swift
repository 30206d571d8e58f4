import PowerModel
import Testing

/// SSH that is started for a run and stopped afterwards.
struct SSHPlanTests {
    /// Three hosts; SSH is for a run only on h1 and h2, which hold guests.
    private func fixture(_ policy: SSHPolicy = .run) -> Fixture {
        var fixture = Fixture(guests: [
            Fixture.guest("app-1", on: "h2"), Fixture.guest("dns1", on: "h3"),
        ])
        for index in 0..<2 { fixture.site.hosts[index].sshPolicy = policy }
        return fixture
    }

    private func before(_ found: [String: Bool]) -> [Record] {
        var recorder = Recorder()
        let fixture = fixture()
        recorder.begin(fixture)
        let run = RunID("run-1")
        recorder.start(Plan(kind: .cluster, cluster: fixture.site.name, phases: []), run: run)
        for (host, runs) in found { recorder.add(.sshFound(HostName(host), runs: runs), run: run) }
        return recorder.records
    }

    @Test func `where SSH always runs no plan has anything to do with it`() throws {
        let fixture = fixture(.always)
        for plan in [try fixture.shutdown(), try fixture.restore(before([:]))] {
            #expect(!plan.names.contains("ssh"))
            #expect(!plan.names.contains("ssh closed"))
        }
    }

    @Test func `it is started where the site file asks, before all that needs it`() throws {
        let plan = try fixture().shutdown()
        #expect(plan.ids(.openSSH) == ["open-ssh/h1", "open-ssh/h2"])
        #expect(plan.phase(.openSSH)?.needs == [])
        for phase in [PhaseName.arm, .haAgents, .vcsa, .infrastructure, .hosts, .vcsaHost] {
            #expect(plan.everythingBefore(phase).contains(.openSSH), "\(phase)")
        }
        #expect(plan.phase(.closeSSH) == nil)
    }

    @Test func `no guest of a tier waits for it`() throws {
        let plan = try fixture().shutdown()
        #expect(!plan.everythingBefore(.guests(TierName("apps"))).contains(.openSSH))
    }

    @Test func `where some hosts go it is started on these alone`() throws {
        let plan = try fixture().shutdown(.hosts([HostName("h2"), HostName("h3")]))
        #expect(plan.ids(.openSSH) == ["open-ssh/h2"])
        #expect(plan.everythingBefore(.arm).contains(.openSSH))
        #expect(plan.everythingBefore(.hosts).contains(.openSSH))
    }

    @Test func `tiers that are shed need none`() throws {
        let plan = try fixture().shutdown(.tiers([TierName("apps")]))
        #expect(plan.ids(.openSSH) == [])
    }

    @Test func `a vSAN cluster needs it before its own procedure`() throws {
        var fixture = fixture()
        fixture.snapshot.hasVSAN = true
        fixture.snapshot.apiVersion = VersionNumber([7, 0, 2, 0])
        let plan = try fixture.shutdown()
        #expect(plan.everythingBefore(.vsan).contains(.openSSH))
    }

    @Test func `a restore starts it beside the hosts and stops it last, where it did not run`()
        throws
    {
        let plan = try fixture().restore(before(["h1": false, "h2": true]))
        #expect(plan.ids(.openSSH) == ["open-ssh/h1", "open-ssh/h2"])
        #expect(!plan.everythingBefore(.hostsBack).contains(.openSSH))
        #expect(plan.everythingBefore(.disarm).contains(.openSSH))
        #expect(plan.phases.last?.name == .closeSSH)
        #expect(plan.everythingBefore(.closeSSH).contains(.disarm))
        #expect(plan.steps.last?.action == .closeSSH(HostName("h1"), wasOpened: true))
        #expect(plan.ids(.closeSSH) == ["close-ssh/h1"])
    }

    @Test func `what the restore itself starts it is to find out`() throws {
        let plan = try fixture().restore(before([:]))
        #expect(
            plan.phase(.closeSSH)?.steps.map(\.action) == [
                .closeSSH(HostName("h1"), wasOpened: false),
                .closeSSH(HostName("h2"), wasOpened: false),
            ])
    }

    @Test func `what vpower started is stopped though the site file does not ask any more`() throws
    {
        let plan = try fixture(.always).restore(before(["h1": false]))
        #expect(plan.ids(.openSSH) == [])
        #expect(plan.ids(.closeSSH) == ["close-ssh/h1"])
    }

    @Test func `what was found first counts, whatever was found since`() throws {
        var recorder = Recorder()
        recorder.begin(fixture())
        let plan = Plan(kind: .cluster, cluster: ClusterName("c"), phases: [])
        for (run, runs) in [("run-1", true), ("run-2", false)] {
            recorder.start(plan, run: RunID(run))
            recorder.add(.sshFound(HostName("h1"), runs: runs), run: RunID(run))
            recorder.add(.sshFound(HostName("h1"), runs: !runs), run: RunID(run))
        }
        #expect(recorder.ledger.sshBefore == [HostName("h1"): true])
    }
}
