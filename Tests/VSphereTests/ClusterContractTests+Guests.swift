import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// The contract's part on guests that do not simply follow.
extension ClusterContractTests {
    private func with(
        _ kind: Kind, guest name: String, _ prepare: (inout LabGuestSpec) -> Void,
        _ body: (Bench, any ClusterControl, Guest) async throws -> Void
    ) async throws {
        try await with(kind) { scenario in
            for index in scenario.guests.indices where scenario.guests[index].name == name {
                prepare(&scenario.guests[index])
            }
        } _: { bench in
            let snapshot = try await bench.cluster.snapshot()
            let guest = try #require(snapshot.inventory.guests.first { $0.name == name })
            try await body(bench, bench.cluster, guest)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a question is read with its choices and answered once by the choice's key`(
        kind: Kind
    ) async throws {
        try await with(kind, guest: "db-main") {
            $0.hasQuestion = true
        } _: { bench, cluster, guest in
            #expect(guest.question == .lab)
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.shutDown(guest)
                } != nil)
            let question = try #require(guest.question)
            let unknown = GuestQuestion.Choice(key: "9", label: "Never")
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.answer(question, of: guest, with: unknown)
                } != nil)
            try await cluster.answer(question, of: guest, with: question.choices[1])
            // Answered already: by whom does not matter (ConcurrentAccess).
            try await cluster.answer(question, of: guest, with: question.choices[2])
            let seen = try await bench.inventory { $0.guest(guest.id)?.hasQuestion == false }
            #expect(seen.guest(guest.id)?.question == nil)
            let answers = bench.world.log.filter { $0.kind == .guestAnswered }
            #expect(answers.map(\.detail) == ["I _moved it"])
            try await cluster.shutDown(guest)
        }
    }

    /// Trap (facts/vsphere.md 2.8): the task that starts it sits there until somebody answers.
    @Test func `a guest that asks as it is started is on when it is answered`() async throws {
        try await with(.wire, guest: "db-main") {
            $0.hasQuestion = true
            $0.isOn = false
        } _: { bench, cluster, guest in
            async let start: Void = cluster.powerOn(guest, on: HostName("esx2.lab"))
            try await Task.sleep(for: .milliseconds(500))
            #expect(bench.world.inventory().guest(guest.id)?.power == .off)
            try await cluster.answer(.lab, of: guest, with: GuestQuestion.lab.choices[1])
            try await start
            #expect(bench.world.inventory().guest(guest.id)?.power == .on)
        }
    }

    @Test(arguments: Kind.allCases)
    func `where a guest's power-off hangs its process is ended, and that is told`(
        kind: Kind
    ) async throws {
        try await with(kind, guest: "db-main") {
            $0.hangsAtPowerOff = true
        } _: { bench, cluster, guest in
            let impatient = kind != .memory ? try bench.client(powerOff: .seconds(1)) : cluster
            let cut = try await impatient.powerOff(guest)
            guard case .processEnded(let why) = cut else {
                Issue.record("\(cut)")
                return
            }
            #expect(!why.isEmpty)
            #expect(bench.world.inventory().guest(guest.id)?.power == .off)
            await impatient.close()
        }
    }

    @Test func `a power-off that an earlier call has left hanging is ended too`() async throws {
        try await with(.wire, guest: "db-main") {
            $0.hangsAtPowerOff = true
        } _: { bench, cluster, guest in
            // This one waits for long; vpower may have died with it.
            let first = Task { try await cluster.powerOff(guest) }
            try await Task.sleep(for: .milliseconds(500))
            let impatient = try bench.client(powerOff: .seconds(1))
            let cut = try await impatient.powerOff(guest)
            guard case .processEnded(let why) = cut else {
                Issue.record("\(cut)")
                return
            }
            #expect(why.contains("earlier"))
            #expect(bench.world.inventory().guest(guest.id)?.power == .off)
            #expect(try await first.value == .asked)
            await impatient.close()
        }
    }

    @Test(arguments: Kind.allCases)
    func `a method that a solution has disabled is refused by its name`(kind: Kind) async throws {
        try await with(kind, guest: "db-main") {
            $0.disabledBy = "com.example.backup"
        } _: { _, cluster, guest in
            #expect(guest.disabledMethods == ["ShutdownGuest"])
            var problem: ClusterError?
            do throws(ClusterError) { try await cluster.shutDown(guest) } catch { problem = error }
            #expect(problem?.reason == .methodDisabled)
            #expect(problem?.detail.contains("com.example.backup") == true)
            try await cluster.powerOff(guest)
        }
    }

    /// Trap (facts/vsphere.md 4.4): TaskInProgress while an operation of its vApp runs.
    @Test(arguments: Kind.allCases)
    func `a guest whose vApp is busy is busy, and not refused for good`(kind: Kind) async throws {
        try await with(kind) { scenario in
            let id = scenario.guests[8].id.rawValue
            scenario.faults = [PlannedFault(.guestBusy, id, lasts: .seconds(3))]
        } _: { bench in
            let guest = try await bench.guest("db-main")
            #expect(
                await failure { () async throws(ClusterError) in
                    try await bench.cluster.shutDown(guest)
                } == .busy)
            let deadline = ContinuousClock.now + .seconds(60)
            while await failure({ () async throws(ClusterError) in
                try await bench.cluster.shutDown(guest)
            }) == .busy, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
            let seen = try await bench.inventory { $0.guest(guest.id)?.power == .off }
            #expect(seen.guest(guest.id)?.power == .off)
        }
    }

    @Test(arguments: Kind.allCases)
    func `an encrypted guest is shown with its provider, and of what kind that is`(
        kind: Kind
    ) async throws {
        try await with(kind) { scenario in
            scenario.guests[0].keyProvider = "kms-1"
            scenario.guests[1].keyProvider = "own"
            scenario.guests[1].hasNativeKey = true
            scenario.guests[1].hasTPM = true
        } _: { bench in
            let guests = try await bench.cluster.snapshot().inventory.guests
            // What 6.7 does not know of key providers is not guessed.
            let kinds: [GuestEncryption.Provider] =
                kind.knowsHealth ? [.external, .native] : [.unknown, .unknown]
            #expect(
                guests[0].encryption == GuestEncryption(keyProvider: "kms-1", provider: kinds[0]))
            #expect(
                guests[1].encryption
                    == GuestEncryption(keyProvider: "own", provider: kinds[1], hasTPM: true))
            #expect(guests.dropFirst(2).allSatisfy { $0.encryption == nil })
        }
    }

    /// Trap (facts/vsphere.md 2.12): vCenter goes on showing what it saw last.
    @Test(arguments: Kind.allCases)
    func `the stale data of a host that is gone are never trusted`(kind: Kind) async throws {
        try await with(kind) { bench in
            bench.world.shutDownHost(HostName("esx1.lab"))
            let seen = try await bench.inventory {
                $0.host(HostName("esx1.lab"))?.connected == false
            }
            let there = seen.guests.filter { $0.host == HostName("esx1.lab") }
            #expect(!there.isEmpty)
            #expect(there.allSatisfy { $0.power == .unknown })
        }
    }
}
