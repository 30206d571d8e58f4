import Foundation
import PowerModel
import PowerRun
import Testing
import Transport
import VSphere

/// A thousand guests behind govmomi's simulator, each call of which takes a while.
@Suite(.serialized) struct CrowdTests {
    private static let guests = 1000
    private static let delay: Duration = .milliseconds(50)
    /// Fewer than the engine's own limit: what is measured is the waiting, not this machine.
    private static let atOnce = 16
    /// A debug build takes 1.3 times the waits on a quiet machine with two cores, and twice as long
    /// beside the other tests. Calls one after the other would take sixteen times as long.
    private static let patience = 4

    @Test func `a tier of a thousand guests costs a call each and hardly more than their waits`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(
            certificate, guests: Self.guests, delayMilliseconds: 50, isCrowd: true)
        let site = ClusterSite(
            name: ClusterName("DC0_C0"),
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "127.0.0.1", port: server.port),
                user: "vpower@vsphere.local", password: .environment(name: "TEST"),
                trust: .pinned(sha256: certificate.sha256)),
            vcsaGuest: nil,
            hosts: [],
            tiers: [TierSite(name: TierName("all"), choice: GuestChoice(names: ["*"]))],
            defaultTier: TierName("all"))
        let cluster = VCenterCluster(
            cluster: site.name, site: site.vcenter, password: Secret("pass & <word>"))
        let journal = MemoryJournal(wall: { Timestamp(millisecondsSinceEpoch: 0) })
        var pace = EnginePace()
        pace.guestsAtOnce = Self.atOnce
        let stopwatch = PhaseWatch()
        let around = Surroundings(
            site: site, cluster: cluster, hosts: [:], wake: { _ in "no host is woken" },
            answers: { _ in true }, runHook: { _, _ in .failed("there is no hook") },
            journal: journal, announcer: stopwatch, time: RealTime(), pace: pace)
        let operation = Operation(in: around, control: RunControl(), makeID: { "crowd" })
        // As the daemon has it: it follows the cluster before anything happens.
        _ = try await cluster.inventory(newerThan: nil, within: .seconds(30))
        let prepared = try await operation.prepareShutdown(.tiers([TierName("all")]))
        let before = cluster.counters.calls
        let result = await operation.shutDown(
            prepared, because: RunCause(.outage, "a thousand guests"))
        #expect(result == .finished)
        let off = try await cluster.snapshot().inventory.guests.count { $0.power == .off }
        // Three of the simulator's are a vCLS guest, another agent and a template.
        #expect(off == Self.guests - 2)
        let calls = cluster.counters.calls - before
        let targets = Self.guests - 3
        let least = Self.delay * targets / Self.atOnce
        let taken = try #require(await stopwatch.guests)
        print(
            "\(targets) guests: \(calls) calls, \(taken.short) of at least \(least.short), "
                + "\(cluster.counters.connections) connections")
        #expect(calls <= targets + 100)
        #expect(taken < least * Self.patience)
        await cluster.close()
    }
}

/// Times the phase that shuts guests down.
private actor PhaseWatch: Announcer {
    private var began: ContinuousClock.Instant?
    var guests: Duration?

    func announce(_ record: Record) async {
        switch record.event {
        case .phaseStarted(.guests(TierName("all"))): began = .now
        case .phaseEnded(.guests(TierName("all"))): guests = began.map { .now - $0 }
        default: break
        }
    }
}
