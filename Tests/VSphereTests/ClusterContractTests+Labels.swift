import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// The contract's newer half: where guests are put, what they need, suspending and resuming.
extension ClusterContractTests {
    /// Labels as people make them: with blanks, percent signs, slashes in tags, markup.
    private static func dress(_ scenario: inout LabScenario) {
        for index in scenario.guests.indices {
            switch scenario.guests[index].name {
            case "app-web01":
                scenario.guests[index].labels = GuestLabels(
                    folder: "Prod/50% \\ Web", resourcePool: "High/Data bases",
                    tags: ["Tier/first", "Owner/a/b", "Tier/<&> 日本語"],
                    attributes: ["power": "late & <x>", "cost center": "4711"])
                scenario.guests[index].memoryMiB = 65536
            case "app-web02":
                scenario.guests[index].labels = GuestLabels(
                    folder: "Prod", resourcePool: "High", tags: ["Tier/first"],
                    attributes: ["power": "early"])
            case "mid-noisy": scenario.guests[index].hasQuestion = true
            default: break
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `a snapshot has every guest's place, tags, memory and question, and a watch keeps them`(
        kind: Kind
    ) async throws {
        try await with(kind, prepare: Self.dress) { bench in
            let snapshot = try await bench.cluster.snapshot()
            #expect(snapshot.warnings == [])
            let truth = bench.world.inventory().guests
            #expect(snapshot.inventory.guests == truth)
            let guest = try await bench.guest("app-web01")
            #expect(guest.labels.folder == "Prod/50% \\ Web")
            #expect(guest.labels.tags.count == 3)
            #expect(snapshot.inventory.guests.filter(\.hasQuestion).map(\.name) == ["mid-noisy"])
            try bench.world.powerOffGuest(guest.id)
            let seen = try await bench.inventory { $0.guest(guest.id)?.power == .off }
            #expect(seen.guest(guest.id)?.labels == guest.labels)
            #expect(seen.guest(guest.id)?.memoryMiB == 65536)
            #expect(seen.guests.filter(\.hasQuestion).map(\.name) == ["mid-noisy"])
        }
    }

    @Test func `labels that nobody wants are not asked for`() async throws {
        try await with(.wire, prepare: Self.dress) { bench in
            let client = try bench.client(labels: .folders)
            let before = await bench.server?.restCalls
            let guests = try await client.snapshot().inventory.guests
            let web = try #require(guests.first { $0.name == "app-web01" })
            #expect(web.labels == GuestLabels(folder: "Prod/50% \\ Web"))
            #expect(await bench.server?.restCalls == before)
            await client.close()
        }
    }

    @Test func `tags that cannot be read leave a snapshot with a warning and those known before`()
        async throws
    {
        try await with(.wire, prepare: Self.dress) { bench in
            let server = try #require(bench.server)
            let guest = try await bench.guest("app-web01")
            await server.setTaggingUp(false)
            let without = try await bench.cluster.snapshot()
            #expect(without.warnings.count == 1)
            #expect(without.warnings.first?.contains("SERVICE_UNAVAILABLE") == true)
            #expect(without.inventory.guest(guest.id)?.labels.tags == [])
            #expect(without.inventory.guest(guest.id)?.labels.folder == guest.labels.folder)
            await server.setTaggingUp(true)
            let with = try await bench.cluster.snapshot()
            #expect(with.warnings == [])
            #expect(with.inventory.guest(guest.id)?.labels.tags == guest.labels.tags)
            await server.setTaggingUp(false)
            let later = try await bench.cluster.snapshot()
            #expect(later.warnings.count == 1)
            #expect(later.inventory.guest(guest.id)?.labels.tags == guest.labels.tags)
            #expect(await server.restSessionCount == 1)
            await bench.cluster.close()
            #expect(await server.restSessionCount == 0)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a guest is suspended and resumed and asking twice is asking once`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let cluster = bench.cluster
            let guest = try await bench.guest("db-main")
            let host = try #require(guest.host)
            try await cluster.suspend(guest)
            try await cluster.suspend(guest)
            let asleep = try await bench.inventory { $0.guest(guest.id)?.power == .suspended }
            #expect(asleep.guest(guest.id)?.power == .suspended)
            // It is not on, so nothing in it can be asked. The simulator asks it all the same.
            if kind != .vcsim {
                #expect(
                    await failure { () async throws(ClusterError) in
                        try await cluster.shutDown(guest)
                    } == .wrongState)
            }
            try await cluster.powerOn(guest, on: host)
            #expect(try await bench.truth.inventory().guest(guest.id)?.power == .on)
            if let log = bench.truth.log(of: guest.id) {
                #expect(log == [.guestSuspended, .guestOn])
            }
        }
    }
}
