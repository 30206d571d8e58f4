import Foundation
import PowerModel
import PowerRun
import Testing
import Transport
import VSphere

/// Against govmomi's simulator, an implementation of vim25 that is not ours.
@Suite(.serialized) struct SimulatorTests {
    private static let user = "vpower@vsphere.local"
    private static let password = "pass & <word>"

    private func cluster(
        _ server: LocalServer, _ certificate: Certificate, name: String = "DC0_C0",
        password: String = SimulatorTests.password, labels: LabelKinds = [],
        limits: VCenterLimits = VCenterLimits()
    ) -> VCenterCluster {
        VCenterCluster(
            cluster: ClusterName(name),
            site: VCenterSite(
                endpoint: Endpoint(host: "127.0.0.1", port: server.port), user: Self.user,
                password: .environment(name: "TEST"), trust: .pinned(sha256: certificate.sha256)),
            password: Secret(password), labels: labels, limits: limits)
    }

    private func failure(
        _ body: () async throws(ClusterError) -> Void
    ) async -> ClusterError.Reason? {
        do throws(ClusterError) {
            try await body()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `a snapshot has the cluster's hosts and guests and no others`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let about = try await cluster.about()
        #expect(about.apiType == "VirtualCenter")
        #expect(about.version == "6.5.0")
        let snapshot = try await cluster.snapshot()
        #expect(snapshot.inventory.hosts.map(\.name.rawValue) == (0...2).map { "DC0_C0_H\($0)" })
        #expect(snapshot.inventory.hosts.allSatisfy { $0.connected && !$0.inMaintenance })
        let guests = snapshot.inventory.guests.sorted { $0.name < $1.name }
        #expect(guests.map(\.name) == (0..<8).map { "DC0_C0_RP0_VM\($0)" })
        #expect(
            guests.map(\.nature) == [.vcls, .agent, .template]
                + Array(repeating: .ordinary, count: 5))
        #expect(guests.map(\.power) == guests.map { $0.nature == .template ? .off : .on })
        #expect(guests.map(\.tools) == guests.map { $0.name.hasSuffix("VM3") ? .absent : .running })
        #expect(guests.allSatisfy { $0.id.rawValue.count == 36 && $0.host != nil })
        #expect(guests[4].vmxPath == "[LocalDS_0] DC0_C0_RP0_VM4/DC0_C0_RP0_VM4.vmx")
        #expect(
            snapshot.automation
                == Automation(
                    ha: true, drsEnabled: true, drsLevel: .fullyAutomated,
                    drsOverrides: true, dpm: false, vcls: .notThere))
        await cluster.close()
    }

    @Test func `every guest is shut down and seen to be off without polling`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let snapshot = try await cluster.snapshot()
        let targets = snapshot.inventory.guests.filter { $0.nature == .ordinary && $0.power == .on }
        #expect(targets.count == 5)
        var inventory = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(inventory.guests == snapshot.inventory.guests)
        let waiting = inventory
        // Somebody else waits at the same time, on the same call.
        let other = Task {
            try await cluster.inventory(newerThan: waiting.version, within: .seconds(20))
        }
        try await withThrowingTaskGroup { group in
            for guest in targets { group.addTask { try await cluster.shutDown(guest) } }
            try await group.waitForAll()
        }
        let before = cluster.counters.calls
        for _ in 0..<20 {
            let left = targets.filter { inventory.guest($0.id)?.power != .off }
            if left.isEmpty { break }
            inventory = try await cluster.inventory(
                newerThan: inventory.version, within: .seconds(10))
        }
        #expect(targets.allSatisfy { inventory.guest($0.id)?.power == .off })
        #expect(
            inventory.guests.filter { $0.power == .on }.map(\.nature) == [.agent, .vcls]
                || inventory.guests.filter { $0.power == .on }.map(\.nature) == [.vcls, .agent])
        #expect(try await other.value.version > waiting.version)
        #expect(cluster.counters.calls - before < 12)
        // Asked again for what is so already: success.
        for guest in targets { try await cluster.shutDown(guest) }
        await cluster.close()
    }

    @Test func `power off and on go through tasks and may be repeated`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let snapshot = try await cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.name.hasSuffix("VM5") })
        let host = try #require(guest.host)
        for _ in 0..<2 { try await cluster.powerOff(guest) }
        #expect(
            try await cluster.inventory(newerThan: nil, within: .seconds(10)).guest(guest.id)?.power
                == .off)
        for _ in 0..<2 { try await cluster.powerOn(guest, on: host) }
        // vCenter may show it a moment later.
        var inventory = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        if inventory.guest(guest.id)?.power != .on {
            inventory = try await cluster.inventory(
                newerThan: inventory.version, within: .seconds(10))
        }
        #expect(inventory.guest(guest.id)?.power == .on)
        let template = try #require(snapshot.inventory.guests.first { $0.nature == .template })
        #expect(
            await failure { () async throws(ClusterError) in
                try await cluster.powerOn(template, on: host)
            } == .wrongState)
        #expect(
            await failure { () async throws(ClusterError) in
                try await cluster.powerOn(guest, on: HostName("nowhere"))
            } == .notFound)
        var stranger = guest
        stranger.id = GuestID("00000000-0000-0000-0000-000000000000")
        #expect(
            await failure { () async throws(ClusterError) in
                try await cluster.powerOff(stranger)
            } == .notFound)
        await cluster.close()
    }

    @Test func `HA, DRS and DPM are changed in one task, and vCLS is left alone before 7.0U1`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        try await cluster.retreatVCLS()
        #expect(try await cluster.automation().vcls == .notThere)
        // The simulator accepts the task and applies nothing (facts/vsphere.md section 5).
        try await cluster.change(AutomationChange(ha: false, drsLevel: .manual, dpm: false))
        await cluster.close()
    }

    @Test func `a user who may do everything misses nothing`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let snapshot = try await cluster.snapshot()
        #expect(try await cluster.missingPrivileges(on: snapshot, suspends: true) == [])
        await cluster.close()
    }

    @Test func `a new guest shows up in the inventory and is classified`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        var inventory = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(inventory.guests.filter { $0.nature == .vcls }.map(\.name) == ["DC0_C0_RP0_VM0"])
        try server.tell("add newcomer")
        for _ in 0..<10 where !inventory.guests.contains(where: { $0.name == "newcomer" }) {
            inventory = try await cluster.inventory(
                newerThan: inventory.version, within: .seconds(5))
        }
        let newcomer = try #require(inventory.guests.first { $0.name == "newcomer" })
        #expect(newcomer.nature == .ordinary)
        await cluster.close()
    }

    @Test func `guests' places, attributes and tags are read, and the watch has them too`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate, labels: .all)
        func labels(_ inventory: Inventory, _ number: Int) -> GuestLabels? {
            inventory.guests.first { $0.name == "DC0_C0_RP0_VM\(number)" }?.labels
        }
        let before = try await cluster.snapshot().inventory
        #expect(labels(before, 4) == GuestLabels(folder: "", resourcePool: ""))
        try server.tell("places")
        #expect(try await server.says { $0 == "ok" })
        let snapshot = try await cluster.snapshot()
        #expect(snapshot.warnings == [])
        #expect(
            labels(snapshot.inventory, 4)
                == GuestLabels(
                    folder: "Prod/EU/Web", resourcePool: "High/Databases", tags: ["Tier/first"],
                    attributes: ["power": "late & <x>"]))
        #expect(
            labels(snapshot.inventory, 5) == GuestLabels(folder: "", resourcePool: "High/shop"))
        #expect(snapshot.inventory.guests.allSatisfy { $0.memoryMiB == 32 && !$0.hasQuestion })
        let after = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(labels(after, 4) == labels(snapshot.inventory, 4))
        await cluster.close()
    }

    @Test func `a guest is suspended and resumed through tasks`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let snapshot = try await cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.name.hasSuffix("VM5") })
        let host = try #require(guest.host)
        for _ in 0..<2 { try await cluster.suspend(guest) }
        #expect(try await cluster.snapshot().inventory.guest(guest.id)?.power == .suspended)
        for _ in 0..<2 { try await cluster.powerOn(guest, on: host) }
        #expect(try await cluster.snapshot().inventory.guest(guest.id)?.power == .on)
        await cluster.close()
    }

    @Test func `a wrong password is refused once and said so`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate, password: "no such word")
        do {
            _ = try await cluster.snapshot()
            Issue.record("it was accepted")
        } catch {
            #expect(error.reason == .loginRefused)
            #expect(error.description.contains(Self.user))
            #expect(!error.description.contains("no such word"))
        }
        // Versions, content, one login.
        #expect(cluster.counters.calls == 3)
    }

    @Test func `another certificate is refused before the password is sent`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, try Certificate())
        #expect(
            await failure { () async throws(ClusterError) in
                _ = try await cluster.snapshot()
            } == .certificateRefused)
        #expect(cluster.counters.bytesOut == 0)
    }

    @Test func `a vCenter that was stopped is unreachable, for those who wait too`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let inventory = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        let waiter = Task {
            await failure { () async throws(ClusterError) in
                _ = try await cluster.inventory(newerThan: inventory.version, within: .seconds(15))
            }
        }
        try await Task.sleep(for: .milliseconds(300))
        server.stop()
        #expect(await waiter.value == .unreachable)
        #expect(
            await failure { () async throws(ClusterError) in
                _ = try await cluster.snapshot()
            } == .unreachable)
        await cluster.close()
    }

    @Test func `a session that was forgotten is renewed, its views and collector too`() async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate, idle: "1s")
        let cluster = cluster(server, certificate)
        let first = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        let guest = try #require(first.guests.first { $0.name.hasSuffix("VM6") })
        try await Task.sleep(for: .seconds(4))
        try await cluster.shutDown(guest)
        try await Task.sleep(for: .seconds(4))
        let second = try await cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(second.version > first.version)
        #expect(second.guest(guest.id)?.power == .off)
        await cluster.close()
    }

    @Test func `a status that is not vim's means that vCenter is starting`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        let cluster = cluster(server, certificate)
        let snapshot = try await cluster.snapshot()
        try server.tell("status 503")
        #expect(try await server.says { $0 == "ok" })
        #expect(
            await failure { () async throws(ClusterError) in
                _ = try await cluster.snapshot()
            } == .starting)
        #expect(try await cluster.snapshot().inventory.guests == snapshot.inventory.guests)
        await cluster.close()
    }

    @Test func `a cluster that does not exist is named with those that do`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(certificate)
        do {
            _ = try await cluster(server, certificate, name: "Prod").snapshot()
            Issue.record("it was found")
        } catch {
            #expect(error.reason == .notFound)
            #expect(error.detail.contains("DC0_C0 (clustercomputeresource-"))
        }
    }
}
