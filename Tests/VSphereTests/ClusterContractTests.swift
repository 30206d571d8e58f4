import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import Transport
import VSphere

/// What every `ClusterControl` must do: the one in memory, which the engine is tested with, and the
/// real one against the lab's vCenter over TLS, and against govmomi's simulator as far as that goes
/// (see `Vcsim`). All on a real clock, each on a site of its own.
@Suite(.serialized) struct ClusterContractTests {
    /// Who is under test.
    enum Kind: Hashable, CaseIterable, CustomTestStringConvertible {
        case memory
        case vcenter(LabRelease, VCenterTransport)
        /// With guests' power over REST.
        case rest(LabRelease)
        case vcsim

        /// The one that tests of one kind use.
        static let wire = Kind.vcenter(.v80u3, .soap)

        static let allCases: [Kind] =
            [.memory] + LabRelease.allCases.map { .vcenter($0, .soap) }
            + LabRelease.allCases.filter(\.hasJSON).map { .vcenter($0, .json) }
            // One of each shape, `/rest` and `/api`.
            + [.rest(.v67), .rest(.v80u3), .vcsim]

        var testDescription: String {
            switch self {
            case .memory: "memory"
            case .vcsim: "vcsim"
            case .vcenter(let release, let transport): "\(release.rawValue) \(transport.rawValue)"
            case .rest(let release): "\(release.rawValue) soap, power over REST"
            }
        }

        /// Which vCenter it is; nil where there is none on the wire.
        var server: LabRelease? {
            switch self {
            case .memory, .vcsim: nil
            case .vcenter(let release, _), .rest(let release): release
            }
        }
        var transport: VCenterTransport {
            if case .vcenter(_, let transport) = self { transport } else { .soap }
        }
        var guestPower: GuestPowerRoute {
            if case .rest = self { .rest } else { .vim }
        }
        // vcsim calls itself 6.5.
        private var release: LabRelease { server ?? (self == .vcsim ? .v67 : .v90) }
        /// Whether its clusters say themselves whether they have vCLS.
        var knowsMode: Bool { ![.v67, .v70u3, .v80u1].contains(release) }
        /// Whether it says how the cluster's own services are.
        var knowsHealth: Bool { release != .v67 }
        /// Whether vCLS is in the hosts' memory.
        var hasEmbedded: Bool { self != .memory && release.vcls == .embedded }

        /// How many guests of vCLS its standard site has.
        var agents: Int {
            self != .memory && release.vcls == .none ? 0 : 2
        }
    }

    /// A cluster, and the truth behind it.
    struct Bench {
        let lab: LabWorld?
        let truth: any ContractTruth
        let name: ClusterName
        let cluster: any ClusterControl
        let server: LabVCenterServer?
        let address: LabVCenterAddress?
        var kind = Kind.memory

        /// The lab's world: a case that needs it cannot be tried on anything else.
        var world: LabWorld {
            guard let lab else { preconditionFailure("the case needs the lab: see Vcsim.table") }
            return lab
        }

        static let user = "vpower@vsphere.local"
        static let password = "pass & <word>\"'"

        /// Another client of the same vCenter.
        func client(
            password: String = Bench.password, sha256: String? = nil, pageObjects: Int = 500,
            labels: LabelKinds = .all, powerOff: Duration = VCenterLimits.powerOffDefault
        ) throws -> VCenterCluster {
            let address = try #require(address)
            var limits = VCenterLimits()
            limits.pageObjects = pageObjects
            limits.powerOff = powerOff
            return VCenterCluster(
                cluster: name,
                site: VCenterSite(
                    endpoint: Endpoint(host: "127.0.0.1", port: address.port), user: Bench.user,
                    password: .file(path: "/secret"),
                    trust: .pinned(sha256: sha256 ?? address.certificateSHA256),
                    transport: kind.transport, guestPower: kind.guestPower),
                password: Secret(password), labels: labels, limits: limits)
        }

        /// The guest of this name, as the world has it.
        func guest(_ name: String) async throws -> Guest {
            try #require(try await truth.inventory().guests.first { $0.name == name })
        }

        /// The inventory as soon as it is so; the last one seen when it does not become so.
        func inventory(
            within limit: Duration = .seconds(60), when holds: (Inventory) -> Bool
        ) async throws -> Inventory {
            let deadline = ContinuousClock.now + limit
            var seen = try await cluster.inventory(newerThan: nil, within: .seconds(5))
            while !holds(seen), ContinuousClock.now < deadline {
                seen = try await cluster.inventory(newerThan: seen.version, within: .seconds(1))
            }
            return seen
        }

        /// Calls until the answer is this reason; nil is success. The last answer.
        func reason(becoming wanted: ClusterError.Reason?) async throws -> ClusterError.Reason? {
            let deadline = ContinuousClock.now + .seconds(60)
            while true {
                let now = await failure { () async throws(ClusterError) in
                    _ = try await cluster.automation()
                }
                if now == wanted || ContinuousClock.now > deadline { return now }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private static var pace: LabPace {
        var pace = LabPace()
        pace.guestStops = .milliseconds(300)
        pace.toolsUp = .milliseconds(200)
        pace.hostStops = .milliseconds(200)
        pace.vcenterUp = .milliseconds(1500)
        pace.haFollows = .milliseconds(200)
        pace.vclsFollows = .milliseconds(300)
        // No test here is about HA's restarts.
        pace.haRestarts = .seconds(600)
        return pace
    }

    func with(
        _ kind: Kind, pageSize: Int = 100, prepare: (inout LabScenario) -> Void = { _ in },
        _ body: (Bench) async throws -> Void
    ) async throws {
        var scenario = LabScenario.standard(pace: Self.pace)
        prepare(&scenario)
        if let release = kind.server { scenario.suit(release) }
        let world = LabWorld(scenario, time: RealTime())
        if kind == .vcsim { return try await Vcsim.with(scenario, body) }
        guard let release = kind.server else {
            return try await body(
                Bench(
                    lab: world, truth: LabTruth(world: world), name: scenario.cluster,
                    cluster: MemoryCluster(world), server: nil, address: nil))
        }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-contract-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let server = LabVCenterServer(
            world: world, user: Bench.user, password: Bench.password, directory: directory,
            pageSize: pageSize, release: release)
        let outcome: Result<Void, any Error>
        do {
            let address = try await server.start()
            func bench(_ cluster: any ClusterControl) -> Bench {
                Bench(
                    lab: world, truth: LabTruth(world: world), name: scenario.cluster,
                    cluster: cluster, server: server, address: address, kind: kind)
            }
            let cluster = try bench(MemoryCluster(world)).client()
            try await body(bench(cluster))
            await cluster.close()
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await server.stop()
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    // MARK: Reading

    @Test(arguments: Kind.allCases)
    func `a snapshot is the truth`(kind: Kind) async throws {
        try await with(kind) { bench in
            let snapshot = try await bench.cluster.snapshot()
            let truth = try await bench.truth.inventory()
            #expect(snapshot.cluster == bench.name)
            #expect(snapshot.inventory.places == truth.places)
            #expect(!truth.guests.isEmpty && !truth.hosts.isEmpty)
            guard bench.lab != nil else { return }
            #expect(snapshot.reference == bench.world.scenario.clusterReference)
            #expect(snapshot.inventory.hosts == truth.hosts)
            #expect(snapshot.inventory.guests == truth.guests)
            var automation = bench.world.currentAutomation()
            if !kind.knowsHealth { automation.vclsHealth = nil }
            #expect(snapshot.automation == automation)
            let followed = try await bench.cluster.inventory(newerThan: nil, within: .seconds(5))
            #expect(followed.hosts == truth.hosts)
            #expect(followed.guests == truth.guests)
        }
    }

    @Test(arguments: [1, 3, 17], [1, 500])
    func `pages of any size make one whole`(server: Int, client: Int) async throws {
        try await with(.wire, pageSize: server) { bench in
            let cluster = try bench.client(pageObjects: client)
            let snapshot = try await cluster.snapshot()
            let truth = bench.world.inventory()
            #expect(snapshot.inventory.guests == truth.guests)
            #expect(snapshot.inventory.hosts == truth.hosts)
            let followed = try await cluster.inventory(newerThan: nil, within: .seconds(10))
            #expect(followed.guests == truth.guests)
            await cluster.close()
        }
    }

    @Test(arguments: Kind.allCases)
    func `the inventory wakes its readers within a second of a change`(kind: Kind) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let guest = try await bench.guest("app-web01")
            let first = try await cluster.inventory(newerThan: nil, within: .seconds(5))
            async let one = timed(cluster, first.version)
            async let two = timed(cluster, first.version)
            try await Task.sleep(for: .milliseconds(700))
            let changed = ContinuousClock.now
            try await bench.truth.powerOff(guest.id)
            for (inventory, at) in [try await one, try await two] {
                #expect(inventory.version > first.version)
                #expect(inventory.guest(guest.id)?.power == .off)
                #expect(at >= changed)
                #expect(at - changed < .seconds(1))
            }
        }
    }

    private func timed(
        _ cluster: any ClusterControl, _ version: UInt64
    ) async throws(ClusterError) -> (Inventory, ContinuousClock.Instant) {
        let inventory = try await cluster.inventory(newerThan: version, within: .seconds(20))
        return (inventory, .now)
    }

    @Test(arguments: Kind.allCases)
    func `the inventory comes at its limit when nothing changes`(kind: Kind) async throws {
        try await with(kind) { bench in
            let first = try await bench.cluster.inventory(newerThan: nil, within: .seconds(5))
            let began = ContinuousClock.now
            let same = try await bench.cluster.inventory(
                newerThan: first.version, within: .milliseconds(1200))
            let taken = ContinuousClock.now - began
            #expect(same.version == first.version)
            #expect(same.guests == first.guests)
            #expect(taken >= .milliseconds(1100))
            #expect(taken < .milliseconds(2500))
            // What is newer already comes at once.
            let at = ContinuousClock.now
            _ = try await bench.cluster.inventory(newerThan: nil, within: .seconds(20))
            #expect(ContinuousClock.now - at < .seconds(2))
        }
    }

    // MARK: Automation

    @Test(arguments: Kind.allCases)
    func `automation is changed where it is asked for and nowhere else`(kind: Kind) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let first = try await cluster.automation()
            var configured = bench.world.scenario.automation
            configured.vclsHealth = kind.knowsHealth ? .healthy : nil
            #expect(first == configured)
            try await cluster.change(AutomationChange())
            #expect(try await cluster.automation() == first)
            let change = AutomationChange(
                ha: false, drsLevel: .manual, drsOverrides: false, dpm: true)
            try await cluster.change(change)
            try await cluster.change(change)
            var wanted = first
            wanted.ha = false
            wanted.drsLevel = .manual
            wanted.drsOverrides = false
            wanted.dpm = true
            #expect(try await cluster.automation() == wanted)
            // The world has services of its own, whether vCenter tells of them or not.
            wanted.vclsHealth = kind.agents > 0 ? .healthy : .nonhealthy
            #expect(bench.world.currentAutomation() == wanted)
            wanted.vclsHealth = first.vclsHealth
            let without = try await bench.inventory {
                $0.hosts.allSatisfy { !$0.haAgentConfigured }
            }
            #expect(without.hosts.allSatisfy { !$0.haAgentConfigured })
            try await cluster.change(AutomationChange(drsLevel: .partiallyAutomated))
            wanted.drsLevel = .partiallyAutomated
            #expect(try await cluster.automation() == wanted)
            try await cluster.change(
                AutomationChange(
                    ha: first.ha, drsLevel: first.drsLevel, drsOverrides: first.drsOverrides,
                    dpm: first.dpm))
            #expect(try await cluster.automation() == first)
            let back = try await bench.inventory { $0.hosts.allSatisfy(\.haAgentConfigured) }
            #expect(back.hosts.allSatisfy { $0.haAgentConfigured })
        }
    }

    /// - Parameters:
    ///   - setting: what the advanced setting says before.
    ///   - mode: what the cluster itself says before.
    ///   - isByMode: whether the cluster itself is told; the memory's vCenter goes by `mode`.
    @Test(
        arguments: Kind.allCases,
        [
            (setting: VCLSSetting.unset, mode: VCLSMode?.none, isByMode: true),
            (.unset, .systemManaged, true), (.on, .systemManaged, false), (.on, nil, false),
        ])
    func `vCLS goes into retreat in one place and comes back in that`(
        kind: Kind, before: (setting: VCLSSetting, mode: VCLSMode?, isByMode: Bool)
    ) async throws {
        // An older release has no mode, and is told by the setting.
        guard kind.agents > 0, kind.knowsMode || before.mode == nil else { return }
        try await with(kind) { scenario in
            scenario.automation.vcls = before.setting
            scenario.automation.vclsMode = before.mode
        } _: { bench in
            let cluster = bench.cluster
            let isByMode =
                before.isByMode && kind.knowsMode && (kind != .memory || before.mode != nil)
            try await cluster.retreatVCLS()
            let retreated = try await cluster.automation()
            #expect(!retreated.keepsVCLS)
            #expect(retreated.vcls == (isByMode ? before.setting : .retreat))
            #expect(retreated.vclsMode == (isByMode ? .absent : before.mode))
            try await cluster.restoreVCLS(before.setting, mode: before.mode)
            let back = try await cluster.automation()
            // What was never set cannot be unset: it comes back as its default.
            #expect(back.vcls == (isByMode ? before.setting : .on))
            #expect(back.vclsMode == (isByMode ? .systemManaged : before.mode))
        }
    }

    @Test(
        arguments: Kind.allCases,
        [
            (setting: VCLSSetting.retreat, mode: VCLSMode?.none), (.unset, .absent),
            (.retreat, .absent),
        ])
    func `vCLS is never switched on where it was off`(
        kind: Kind, before: (setting: VCLSSetting, mode: VCLSMode?)
    ) async throws {
        guard kind.agents > 0, kind.knowsMode || before.mode == nil else { return }
        try await with(kind) { scenario in
            scenario.automation.vcls = before.setting
            scenario.automation.vclsMode = before.mode
        } _: { bench in
            let first = bench.world.currentAutomation()
            try await bench.cluster.retreatVCLS()
            #expect(bench.world.currentAutomation() == first)
            try await bench.cluster.restoreVCLS(before.setting, mode: before.mode)
            #expect(bench.world.currentAutomation() == first)
        }
    }

    @Test(arguments: Kind.allCases)
    func `vCLS in a host's memory is another kind, which retreat mode may leave`(
        kind: Kind
    ) async throws {
        guard kind.agents > 0 else { return }
        try await with(kind) { scenario in
            for index in scenario.guests.indices where scenario.guests[index].nature == .vcls {
                scenario.guests[index].nature = .embeddedVCLS
                scenario.guests[index].name = "any name"
            }
        } _: { bench in
            let inventory = try await bench.inventory { _ in true }
            #expect(inventory.guests.count { $0.nature == .embeddedVCLS } == 2)
            #expect(inventory.guests.count { $0.nature == .vcls } == 0)
            #expect(try await bench.cluster.automation().vclsHealth == .healthy)
        }
    }

    @Test func `a vCenter older than vCLS is asked and told nothing of it`() async throws {
        try await with(.vcenter(.v67, .soap)) { bench in
            #expect(try await bench.cluster.snapshot().automation.vcls == .notThere)
            try await bench.cluster.retreatVCLS()
            try await bench.cluster.restoreVCLS(.unset, mode: nil)
            let now = try await bench.cluster.automation()
            #expect(now.vcls == .notThere)
            #expect(!now.keepsVCLS)
            let sent = try #require(await bench.server?.requests)
            #expect(sent["UpdateOptions"] == nil && sent["QueryOptions"] == nil)
        }
    }

    @Test(arguments: Kind.allCases)
    func `vCLS guests go with retreat mode and come back`(kind: Kind) async throws {
        guard kind.agents > 0 else { return }
        try await with(kind) { bench in
            let cluster = bench.cluster
            func agents(_ inventory: Inventory) -> Int {
                inventory.guests.count { $0.nature == .vcls || $0.nature == .embeddedVCLS }
            }
            // Those in a host's memory may stay.
            let left = kind.hasEmbedded ? 2 : 0
            // Never set, and asked to be on: it is as wanted.
            try await cluster.restoreVCLS(.unset, mode: nil)
            #expect(try await cluster.automation().vcls == .unset)
            try await cluster.retreatVCLS()
            try await cluster.retreatVCLS()
            #expect(try await !cluster.automation().keepsVCLS)
            let gone = try await bench.inventory { agents($0) == left }
            #expect(agents(gone) == left)
            #expect(gone.guests.count == 12 + left)
            let health: VCLSHealth? = kind.hasEmbedded ? .degraded : .nonhealthy
            let told = try await cluster.automation().vclsHealth
            #expect(told == (kind.knowsHealth ? health : nil))
            try await cluster.restoreVCLS(.unset, mode: nil)
            #expect(try await cluster.automation().keepsVCLS)
            let back = try await bench.inventory { agents($0) == kind.agents }
            #expect(agents(back) == kind.agents)
            let all = back.guests.filter { $0.nature != .ordinary }
            #expect(all.allSatisfy { $0.power == .on })
            let then = try await cluster.automation().vclsHealth
            #expect(then == (kind.knowsHealth ? .healthy : nil))
        }
    }

    // MARK: Guests

    @Test(arguments: Kind.allCases)
    func `a guest is shut down by its Tools and its shadow names are only names`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let names = ["app-web01", "app-$(reboot)'\"; `x` 日本語", "app-two\nlines"]
            var guests: [Guest] = []
            for name in names { guests.append(try await bench.guest(name)) }
            for guest in guests { try await bench.cluster.shutDown(guest) }
            // Asked again while it is at it.
            try await bench.cluster.shutDown(guests[0])
            let seen = try await bench.inventory { inventory in
                guests.allSatisfy { inventory.guest($0.id)?.power == .off }
            }
            #expect(guests.allSatisfy { seen.guest($0.id)?.power == .off })
            // The simulator leaves the Tools of a guest that is off as they were.
            if kind != .vcsim {
                #expect(guests.allSatisfy { seen.guest($0.id)?.tools != .running })
            }
            #expect(seen.guests.count { $0.power == .off } == guests.count)
            // Asking for what is already so succeeds.
            try await bench.cluster.shutDown(guests[0])
        }
    }

    @Test(arguments: Kind.allCases)
    func `a guest without Tools cannot be asked and one that is not there is not found`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let mute = try await bench.guest("mid-notools")
            #expect(
                await failure { () async throws(ClusterError) in try await cluster.shutDown(mute) }
                    == .toolsUnavailable)
            var gone = mute
            gone.id = GuestID("50000000-0000-4000-8000-0000000000ff")
            gone.reference = "vm-999"
            #expect(
                await failure { () async throws(ClusterError) in try await cluster.shutDown(gone) }
                    == .notFound)
            #expect(
                await failure { () async throws(ClusterError) in try await cluster.powerOff(gone) }
                    == .notFound)
            #expect(bench.world.inventory().guest(mute.id)?.power == .on)
        }
    }

    @Test(arguments: Kind.allCases)
    func `power is cut and given and asking twice is asking once`(kind: Kind) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let guest = try await bench.guest("mid-noisy")
            let host = try #require(guest.host)
            try await cluster.powerOff(guest)
            #expect(try await bench.truth.inventory().guest(guest.id)?.power == .off)
            try await cluster.powerOff(guest)
            try await cluster.powerOn(guest, on: host)
            #expect(try await bench.truth.inventory().guest(guest.id)?.power == .on)
            try await cluster.powerOn(guest, on: host)
            if let log = bench.truth.log(of: guest.id) { #expect(log == [.guestOff, .guestOn]) }
        }
    }

    @Test(arguments: Kind.allCases)
    func `calls side by side all do their own`(kind: Kind) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let guests = try await bench.truth.inventory().guests.filter {
                $0.name.hasPrefix("app-")
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for guest in guests { group.addTask { try await cluster.powerOff(guest) } }
                group.addTask { _ = try await cluster.snapshot() }
                try await group.waitForAll()
            }
            let after = try await bench.truth.inventory()
            #expect(guests.count == 4)
            #expect(guests.allSatisfy { after.guest($0.id)?.power == .off })
        }
    }

    // MARK: What fails

    @Test(arguments: Kind.allCases)
    func `a vCenter that is down, then starting, then up is told apart and works again`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let first = try await bench.cluster.snapshot()
            let vcsa = try await bench.guest("vcsa01")
            let host = try #require(vcsa.host)
            try bench.world.powerOffGuest(vcsa.id)
            #expect(try await bench.reason(becoming: .unreachable) == .unreachable)
            let began = ContinuousClock.now
            let cluster = bench.cluster
            #expect(
                await failure { () async throws(ClusterError) in
                    _ = try await cluster.inventory(newerThan: 1, within: .seconds(20))
                } == .unreachable)
            #expect(ContinuousClock.now - began < .seconds(5))
            try bench.world.powerOnGuest(vcsa.id, on: host, by: "test")
            #expect(try await bench.reason(becoming: .starting) == .starting)
            #expect(try await bench.reason(becoming: nil) == nil)
            let again = try await bench.cluster.snapshot()
            #expect(again.automation == first.automation)
            #expect(again.inventory.guests.map(\.id) == first.inventory.guests.map(\.id))
            // The watch begins again too, and follows.
            let guest = try await bench.guest("app-web01")
            try await bench.cluster.powerOff(guest)
            let seen = try await bench.inventory { $0.guest(guest.id)?.power == .off }
            #expect(seen.guest(guest.id)?.power == .off)
        }
    }

    @Test(arguments: Kind.allCases)
    func `guests of a host that is away are unknown, never off`(kind: Kind) async throws {
        try await with(kind) { bench in
            let away = HostName("esx3.lab")
            _ = try await bench.cluster.inventory(newerThan: nil, within: .seconds(5))
            let here = bench.world.inventory().guests.filter { $0.host == away }.map(\.id)
            bench.world.shutDownHost(away)
            let seen = try await bench.inventory { $0.host(away)?.connected == false }
            #expect(seen.host(away)?.connected == false)
            #expect(here.count == (kind.agents == 0 ? 3 : 4))
            #expect(here.allSatisfy { seen.guest($0)?.power == .unknown })
            #expect(seen.guests.filter { $0.host != away }.allSatisfy { $0.power == .on })
            let snapshot = try await bench.cluster.snapshot().inventory
            #expect(here.allSatisfy { snapshot.guest($0)?.power == .unknown })
            // Once it is off, nothing can be done to them.
            let deadline = ContinuousClock.now + .seconds(60)
            while bench.world.answers(away), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
            let cluster = bench.cluster
            let lost = try await bench.guest("db-replica")
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.powerOn(lost, on: away)
                } != nil)
        }
    }

    @Test func `the end leaves no session behind`() async throws {
        try await with(.wire) { bench in
            let server = try #require(bench.server)
            let other = try bench.client()
            _ = try await other.snapshot()
            _ = try await other.inventory(newerThan: nil, within: .seconds(5))
            #expect(await server.sessionCount == 1)
            await other.close()
            #expect(await server.sessionCount == 0)
            await other.close()
        }
    }

    @Test func `who is called off leaves no session behind either`() async throws {
        try await with(.wire) { bench in
            let server = try #require(bench.server)
            let other = try bench.client()
            _ = try await other.snapshot()
            #expect(await [server.sessionCount, server.restSessionCount] == [1, 1])
            let caller = Task {
                while !Task.isCancelled { await Task.yield() }
                await other.close()
            }
            caller.cancel()
            await caller.value
            // It does not wait for the logout, which goes on beside it.
            let deadline = ContinuousClock.now + .seconds(60)
            while await [server.sessionCount, server.restSessionCount] != [0, 0] {
                try #require(ContinuousClock.now < deadline, "a session is left")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test(arguments: [Kind.wire, .vcsim])
    func `a wrong password is refused with the way on and without the password`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let client = try bench.client(password: "hunter2")
            do throws(ClusterError) {
                _ = try await client.snapshot()
                Issue.record("it was let in")
            } catch {
                #expect(error.reason == .loginRefused)
                #expect(error.description.contains("file:/secret"))
                #expect(!error.description.contains("hunter2"))
            }
            if let server = bench.server { #expect(await server.sessionCount == 0) }
            await client.close()
        }
    }

    @Test(arguments: [Kind.wire, .vcsim])
    func `an unknown certificate is refused before anything is sent`(kind: Kind) async throws {
        try await with(kind) { bench in
            let client = try bench.client(sha256: String(repeating: "ab", count: 32))
            #expect(
                await failure { () async throws(ClusterError) in _ = try await client.snapshot() }
                    == .certificateRefused)
            if let server = bench.server {
                #expect(await server.calls == 0)
                #expect(await server.bytesIn == 0)
            }
            #expect(client.counters.bytesOut == 0)
            await client.close()
        }
    }
}

/// The reason a call fails for; nil when it does not.
func failure(
    _ body: () async throws(ClusterError) -> Void
) async -> ClusterError.Reason? {
    do throws(ClusterError) {
        try await body()
        return nil
    } catch { return error.reason }
}

/// The real clock, which the lab runs on when it is on the wire.
struct RealTime: TimeSource {
    private let clock = ContinuousClock()
    private let began = ContinuousClock.now

    var elapsed: Duration { clock.now - began }

    var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }

    func sleep(for duration: Duration) async throws(CancellationError) {
        do { try await clock.sleep(for: duration) } catch { throw CancellationError() }
    }
}
