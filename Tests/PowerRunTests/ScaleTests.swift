import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// Many guests: what the engine reads and asks does not grow with their square.
struct ScaleTests {
    private static let hosts = 50
    private static let guests = 600

    @Test func `many guests that end one by one are not looked at one by one`() throws {
        let flat = FlatSite(hosts: Self.hosts, guests: Self.guests)
        let (down, downReads) = try flat.carryOut(.cluster)
        let (up, upReads) = try flat.carryOut(.restore)
        #expect(down == .finished && up == .finished)
        #expect(flat.asked == 2 * Self.guests)
        // Each ends at a moment of its own within 70 s; between two looks there is 0.6 s.
        #expect(downReads < 200, "\(downReads)")
        #expect(upReads < 200, "\(upReads)")
    }
}

/// A flat site whose every guest takes its own time: nothing in it costs more than it must, so that
/// what is measured is the engine.
final class FlatSite: ClusterControl {
    private struct State {
        var guests: [Guest]
        /// When each guest will have changed; none for those that stay as they are.
        var changes: [(at: Duration, to: GuestPower)?]
        var version: UInt64 = 1
        var nextChange: Duration?
        var reads = 0
        var asked = 0
    }

    let time = VirtualTime()
    private let state: Mutex<State>
    private let index: [GuestID: Int]
    private let hostViews: [HostView]

    var asked: Int { state.withLock { $0.asked } }

    init(hosts: Int, guests count: Int) {
        let names = (0..<hosts).map { HostName("esx\($0)") }
        let guests = (0..<count).map { number in
            let text = String(1_000_000 + number)
            return Guest(
                id: GuestID("50000000-0000-4000-8000-0000\(text)"), name: "g\(number)",
                reference: nil, vmxPath: "[ds] g\(number)/g.vmx", host: names[number % hosts],
                power: .on, tools: .running, nature: .ordinary)
        }
        hostViews = names.map { HostView(name: $0) }
        index = Dictionary(
            guests.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        state = Mutex(State(guests: guests, changes: Array(repeating: nil, count: count)))
    }

    /// Takes all guests down, or brings them up; how it ended, and how often the inventory was
    /// read.
    func carryOut(_ kind: PlanKind) throws -> (RunResult, reads: Int) {
        let before = state.withLock { $0.reads }
        var pace = EnginePace()
        pace.restPerGuest = .milliseconds(1)
        let around = Surroundings(
            site: LabScenario.standard().memorySite, cluster: self, hosts: [:],
            wake: { _ in nil }, answers: { _ in true }, runHook: { _, _ in .exited(0) },
            journal: MemoryJournal { [time] in time.wall }, announcer: Quiet(), time: time,
            pace: pace)
        let inventory = inventoryNow()
        let steps = inventory.guests.map { guest in
            kind == .restore
                ? Step(
                    .startGuest(
                        guest.id, name: guest.name, guest.host ?? HostName("?"), StartTerms()),
                    limit: .seconds(300))
                : Step(
                    .stopGuest(guest.id, name: guest.name, .powerOff), limit: .seconds(180))
        }
        let goal = ClusterSnapshot(
            cluster: around.site.name, reference: "c", inventory: inventory,
            automation: Automation(
                ha: false, drsEnabled: true, drsLevel: .manual, dpm: false, vcls: .retreat))
        let plan = Plan(kind: kind, cluster: around.site.name, phases: [Bench.phase(steps)])
        let result = try SerialExecutor.simulate(time: time, limit: .seconds(36_000)) {
            await Runner(
                plan, run: RunID("r"), outage: OutageID("o"), goal: goal, control: RunControl(),
                in: around
            ).carryOut(because: RunCause(.hand, "t"))
        }
        return (try #require(result), state.withLock { $0.reads } - before)
    }

    private func inventoryNow() -> Inventory {
        let now = time.elapsed
        return state.withLock { state in
            if let next = state.nextChange, next <= now {
                state.nextChange = nil
                for number in state.changes.indices {
                    guard let change = state.changes[number] else { continue }
                    if change.at > now {
                        state.nextChange = min(state.nextChange ?? change.at, change.at)
                        continue
                    }
                    state.guests[number].power = change.to
                    state.changes[number] = nil
                    state.version += 1
                }
            }
            state.reads += 1
            return Inventory(version: state.version, hosts: hostViews, guests: state.guests)
        }
    }

    private func change(_ guest: GuestID, to power: GuestPower) {
        guard let number = index[guest] else { return }
        let spread = (number * 7919) % 70_000
        // vCenter answers a start when it is done.
        let at = time.elapsed + .milliseconds(power == .on ? spread / 100 : 20_000 + spread)
        state.withLock { state in
            state.asked += 1
            state.changes[number] = (at, power)
            state.nextChange = min(state.nextChange ?? at, at)
        }
    }

    func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        throw ClusterError(vcenter: "flat", attempting: "x", reason: .refused, detail: "unused")
    }
    func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory
    {
        let now = time.elapsed
        let (current, next) = state.withLock { ($0.version, $0.nextChange) }
        if let version, version >= current, (next ?? .seconds(1_000_000)) > now {
            let wait = min(limit, next.map { $0 - now } ?? limit)
            do { try await time.sleep(for: wait) } catch {}
        }
        return inventoryNow()
    }
    func automation() async throws(ClusterError) -> Automation {
        throw ClusterError(vcenter: "flat", attempting: "x", reason: .refused, detail: "unused")
    }
    func change(_ change: AutomationChange) async throws(ClusterError) {}
    func retreatVCLS() async throws(ClusterError) {}
    func sshService(on host: HostName) async throws(ClusterError) -> SSHService {
        SSHService(runs: true, policy: "on")
    }
    func setSSH(runs: Bool, on host: HostName) async throws(ClusterError) {}
    func vsanPower() async throws(ClusterError) -> VSANPower { .on }
    func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError) {}
    func restoreVCLS(_ setting: VCLSSetting, mode: VCLSMode?) async throws(ClusterError) {}
    func shutDown(_ guest: Guest) async throws(ClusterError) { change(guest.id, to: .off) }
    func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        change(guest.id, to: .off)
        return .asked
    }
    func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {}
    func suspend(_ guest: Guest) async throws(ClusterError) { change(guest.id, to: .suspended) }
    func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        change(guest.id, to: .on)
    }
    func shutDownAppliance(reason: String) async throws(ClusterError) {}
    func close() async {}
}
