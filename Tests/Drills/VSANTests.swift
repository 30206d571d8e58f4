import PowerLab
import PowerModel
import PowerRun
import Testing

/// An afternoon of a vSAN cluster.
struct VSANTests {
    private static let wizard: [Int] = [8, 0, 3, 0]
    private static let manual: [Int] = [7, 0, 2, 0]

    private func afternoon(
        _ release: [Int], change: (inout LabScenario) -> Void = { _ in }
    ) -> Afternoon {
        var site = LabScenario.standard()
        site.hasVSAN = true
        site.apiVersion = VersionNumber(release)
        site.faults = [PlannedFault(.mainsReturnEarly, at: .seconds(45))]
        change(&site)
        return Afternoon(draw: LabDraw(site, healsAt: .seconds(80)))
    }

    private func kinds(_ end: Afternoon.End, _ wanted: Set<LabEvent.Kind>) -> [String] {
        end.log.filter { wanted.contains($0.kind) }.map { "\($0.kind.rawValue) \($0.detail)" }
    }

    @Test func `vCenter shuts a vSAN cluster down and starts it, where it can`() throws {
        let end = try afternoon(Self.wizard).live()
        #expect(end.violations == [])
        #expect(end.isClosed)
        let seen: Set<LabEvent.Kind> = [
            .vsanPowerOff, .vsanPrepared, .hostTold, .hostOff, .vsanPowerOn,
        ]
        #expect(
            kinds(end, seen)
                == ["vsanPowerOff ", "vsanPrepared vCenter"]
                + Array(repeating: "hostTold vSAN", count: 3)
                + Array(repeating: "hostOff ", count: 3) + ["vsanPowerOn "])
        // Nothing that a host starts by itself could start before vSAN is back.
        #expect(!end.log.contains { $0.kind == .armed })
    }

    @Test func `before 7_0U3 one host prepares the cluster, and one recovers it`() throws {
        let end = try afternoon(Self.manual).live()
        #expect(end.violations == [])
        #expect(end.isClosed)
        let order = end.log.filter {
            [.vcenterDown, .vsanPrepared, .maintenanceOn, .vsanRecovered].contains($0.kind)
        }
        #expect(
            order.map(\.kind)
                == [.vcenterDown, .vsanPrepared, .maintenanceOn, .maintenanceOn, .maintenanceOn]
                + [.vsanRecovered])
        let recovered = end.log.first { $0.kind == .vsanRecovered }?.number ?? .max
        let first = end.log.first { $0.kind == .guestOn }?.number ?? 0
        #expect(recovered < first)
    }

    @Test func `with vCenter gone the hosts are asked, whatever the release`() throws {
        let end = try afternoon(Self.wizard) { site in
            site.faults[0].at = .seconds(60)
            site.faults.append(PlannedFault(.vcenterDeadBefore, at: .seconds(5)))
        }.live()
        #expect(end.violations == [])
        #expect(end.isClosed)
        #expect(!end.log.contains { $0.kind == .vsanPowerOff })
        #expect(end.log.contains { $0.kind == .vsanPrepared && $0.object == "esx1.lab" })
    }

    @Test func `where vSAN cannot be prepared, all hosts stay on until the battery ends`() throws {
        let end = try afternoon(Self.manual) { site in
            site.faults.append(
                PlannedFault(.hostRefuses, "esx3.lab", at: .seconds(12), lasts: .seconds(60)))
            site.faults[0].at = .seconds(75)
            site.pace.battery = .seconds(40)
        }.live()
        #expect(end.violations == [])
        #expect(end.isClosed)
        #expect(!end.log.contains { $0.kind == .vsanPrepared || $0.kind == .hostTold })
        #expect(end.log.contains { $0.kind == .hostLost })
    }
}
