import Foundation
import PowerModel
import PowerRun
import Transport
import VSphere

/// What a thousand guests cost at a vCenter each call of which takes a while.
///
/// `crowd PORT SHA256 GUESTS DELAY LIMIT` shuts down the cluster of a simulator (Tests/Tools/vcsim,
/// with `-crowd`) on this machine that has GUESTS guests and answers DELAY milliseconds late; its
/// password is in VCSIM_PASSWORD. Fails where that takes over LIMIT times the waits alone, or more
/// than a call for each guest and 100. `make bench` runs it in release, a test in debug.
@main struct Crowd {
    /// Those of the simulator's that are no targets: a vCLS guest, another agent, a template.
    static let others = 3
    /// Fewer than the engine's own limit: what is measured is the waiting, not this machine.
    static let atOnce = 16

    static func main() async {
        do {
            try await measure()
        } catch {
            print("crowd: \(error)")
            exit(1)
        }
    }

    static func measure() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let port = Int(arguments[1]), let guests = Int(arguments[3]),
            let delay = Int(arguments[4]), let limit = Double(arguments[5]),
            let password = ProcessInfo.processInfo.environment["VCSIM_PASSWORD"]
        else { throw Refusal(why: "usage: crowd PORT SHA256 GUESTS DELAY LIMIT") }
        let site = site(port: port, pin: arguments[2])
        let cluster = VCenterCluster(
            cluster: site.name, site: site.vcenter, password: Secret(password))
        let (calls, taken) = try await shutDown(site, cluster)
        let off = try await cluster.snapshot().inventory.guests.count { $0.power == .off }
        let connections = cluster.counters.connections
        await cluster.close()
        let targets = guests - others
        // The template is off as well.
        guard off == targets + 1 else { throw Refusal(why: "\(off) of \(guests) are off") }
        // Waiting alone: a call for each guest, as many at once as are let in flight.
        let least = Duration.milliseconds(delay) * targets / atOnce
        print(
            "\(targets) guests: \(calls) calls, \(taken.short) for waits of \(least.short) "
                + "(limit \(limit) times), \(connections) connections")
        guard calls <= targets + 100 else { throw Refusal(why: "more than a call for each guest") }
        guard taken / least <= limit else { throw Refusal(why: "the limit is missed") }
    }

    /// One tier of all guests.
    static func site(port: Int, pin: String) -> ClusterSite {
        ClusterSite(
            name: ClusterName("DC0_C0"),
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "127.0.0.1", port: port),
                user: "vpower@vsphere.local", password: .environment(name: "VCSIM_PASSWORD"),
                trust: .pinned(sha256: pin)),
            vcsaGuest: nil,
            hosts: [],
            tiers: [TierSite(name: tier, choice: GuestChoice(names: ["*"]))],
            defaultTier: tier)
    }

    /// The calls that the run made, and what its guests' phase took.
    static func shutDown(
        _ site: ClusterSite, _ cluster: VCenterCluster
    ) async throws -> (calls: Int, taken: Duration) {
        let journal = MemoryJournal(wall: { Timestamp(millisecondsSinceEpoch: 0) })
        var pace = EnginePace()
        pace.guestsAtOnce = atOnce
        let stopwatch = PhaseWatch()
        let around = Surroundings(
            site: site, cluster: cluster, hosts: [:], wake: { _ in "no host is woken" },
            answers: { _ in true }, runHook: { _, _ in .failed("there is no hook") },
            journal: journal, announcer: stopwatch, time: RealTime(), pace: pace)
        let operation = Operation(in: around, control: RunControl(), makeID: { "crowd" })
        // As the daemon has it: it follows the cluster before anything happens.
        _ = try await cluster.inventory(newerThan: nil, within: .seconds(30))
        let prepared = try await operation.prepareShutdown(.tiers([tier]))
        let before = cluster.counters.calls
        let result = await operation.shutDown(
            prepared, because: RunCause(.outage, "a thousand guests"))
        guard result == .finished, let taken = await stopwatch.guests else {
            throw Refusal(why: "the run ended as \(result)")
        }
        return (cluster.counters.calls - before, taken)
    }

    static let tier = TierName("all")
}

struct Refusal: Error, CustomStringConvertible {
    var why: String
    var description: String { why }
}

/// Times the phase that shuts guests down.
actor PhaseWatch: Announcer {
    private var began: ContinuousClock.Instant?
    var guests: Duration?

    func announce(_ record: Record) async {
        switch record.event {
        case .phaseStarted(.guests(Crowd.tier)): began = .now
        case .phaseEnded(.guests(Crowd.tier)): guests = began.map { .now - $0 }
        default: break
        }
    }
}

struct RealTime: TimeSource {
    private let began = ContinuousClock.now

    var elapsed: Duration { ContinuousClock.now - began }

    var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }

    func sleep(for duration: Duration) async throws(CancellationError) {
        do { try await ContinuousClock().sleep(for: duration) } catch { throw CancellationError() }
    }
}
