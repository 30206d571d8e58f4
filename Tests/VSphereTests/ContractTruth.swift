import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// What is really so behind a `ClusterControl` that is under test.
protocol ContractTruth: Sendable {
    /// Hosts and guests as they are.
    func inventory() async throws -> Inventory
    /// Somebody else cuts a guest's power.
    func powerOff(_ guest: GuestID) async throws
    /// What happened to a guest; nil where nobody keeps a log.
    func log(of guest: GuestID) -> [LabEvent.Kind]?
}

/// The lab's world.
struct LabTruth: ContractTruth {
    let world: LabWorld
    func inventory() async throws -> Inventory { world.inventory() }
    func powerOff(_ guest: GuestID) async throws { try world.powerOffGuest(guest) }
    func log(of guest: GuestID) -> [LabEvent.Kind]? {
        world.log.filter { $0.object == guest.rawValue }.map(\.kind)
    }
}

extension Inventory {
    /// Which guest is where, and whether it is on.
    var places: [String] {
        guests.map { "\($0.id) \($0.name) \($0.vmxPath) \($0.host?.rawValue ?? "") \($0.power)" }
    }
}

/// govmomi's simulator as a bench of the contract, and which cases it is no bench for.
struct Vcsim: ContractTruth {
    /// The cases that it can be asked, as far as it implements them.
    static let runs: Set = [
        "a snapshot is the truth", "the inventory wakes its readers within a second of a change",
        "the inventory comes at its limit when nothing changes",
        "a guest is shut down by its Tools and its shadow names are only names",
        "power is cut and given and asking twice is asking once",
        "calls side by side all do their own",
        "a guest is suspended and resumed and asking twice is asking once",
        "a wrong password is refused with the way on and without the password",
        "an unknown certificate is refused before anything is sent",
    ]

    /// Why each other case is skipped (facts/vsphere.md section 5).
    static let skipped = [
        "automation is changed where it is asked for and nowhere else":
            "ReconfigureComputeResource_Task succeeds and applies nothing",
        "vCLS goes into retreat in one place and comes back in that": noVCLS,
        "vCLS is never switched on where it was off": noVCLS,
        "vCLS in a host's memory is another kind, which retreat mode may leave": noVCLS,
        "vCLS guests go with retreat mode and come back": noVCLS,
        "trap 4.2: a vCLS guest that is powered off comes back, unless retreat mode ends it":
            noVCLS,
        "trap 4.0: what the asked version does not know is unknown, and decides nothing": noVCLS,
        "a guest without Tools cannot be asked and one that is not there is not found":
            "ShutdownGuest is never ToolsUnavailable",
        "a vCenter that is down, then starting, then up is told apart and works again":
            "it cannot be started again; that it is unreachable is a case of SimulatorTests",
        "guests of a host that is away are unknown, never off": noHostPower,
        "the stale data of a host that is gone are never trusted": noHostPower,
        "trap 4.3: a host that DPM put to sleep is shown so, and cannot be shut down": noHostPower,
        "trap 4.1: an HA agent that vCenter could not take away is told with its fault":
            "it has no HA agents",
        "trap 4.0: a guest is started while DRS is manual": "it has no DRS",
        "a snapshot has every guest's place, tags, memory and question, and a watch keeps them":
            "it is dressed otherwise: see `guests' places, attributes and tags are read`",
        "a question is read with its choices and answered once by the choice's key":
            "AnswerVM is not implemented",
        "where a guest's power-off hangs its process is ended, and that is told":
            "TerminateVM is not implemented",
        "a method that a solution has disabled is refused by its name":
            "no method can be disabled",
        "a guest whose vApp is busy is busy, and not refused for good":
            "an operation of a vApp takes no time",
        "a vSAN cluster goes down as a whole and comes back":
            "PerformClusterPowerAction is not implemented",
        "SSH on a host is started and stopped and asking twice is asking once": noServices,
        "a host that is away is not asked for its SSH, nor believed": noServices,
        "an encrypted guest is shown with its provider, and of what kind that is":
            "it has no key providers",
    ]
    private static let noServices = "it has no HostServiceSystem"
    private static let noVCLS = "it calls itself 6.5, which has no vCLS"
    private static let noHostPower = "ShutdownHost_Task and standby are not implemented"

    let server: LocalServer

    private struct Row: Decodable {
        var name, reference, uuid, path, host, power: String

        private enum CodingKeys: String, CodingKey {
            case name = "Name"
            case reference = "Reference"
            case uuid = "UUID"
            case path = "Path"
            case host = "Host"
            case power = "Power"
        }
    }

    func inventory() async throws -> Inventory {
        let said = try await server.ask("dump")
        let rows = try JSONDecoder().decode([Row].self, from: Data((said.first ?? "").utf8))
            .filter { $0.host.hasPrefix("DC0_C0_") }
        let hosts = Set(rows.map(\.host)).map { HostView(name: HostName($0)) }
        let powers = ["poweredOn": GuestPower.on, "poweredOff": .off, "suspended": .suspended]
        return Inventory(
            version: 0, hosts: hosts,
            guests: rows.map { row in
                Guest(
                    id: GuestID(row.uuid), name: row.name, reference: row.reference,
                    vmxPath: row.path, host: HostName(row.host),
                    power: powers[row.power] ?? .unknown, tools: .running, nature: .ordinary)
            })
    }

    func powerOff(_ guest: GuestID) async throws {
        _ = try await server.ask("off \(guest.rawValue)")
    }

    func log(of guest: GuestID) -> [LabEvent.Kind]? { nil }

    /// Tries the case that runs now, unless it is skipped.
    static func with(
        _ scenario: LabScenario, _ body: (ClusterContractTests.Bench) async throws -> Void
    ) async throws {
        let name = Test.current?.displayName ?? ""
        guard runs.contains(name) else {
            #expect(skipped[name] != nil, "say in Vcsim whether it can be asked this: \(name)")
            return
        }
        typealias Bench = ClusterContractTests.Bench
        let (certificate, scratch) = (try Certificate(), try Scratch())
        let names = scenario.guests.filter { $0.nature == .ordinary }.map(\.name)
        try scratch.write(
            "names", String(decoding: try JSONEncoder().encode(names), as: UTF8.self))
        let server = try LocalServer.vcsim(
            certificate, guests: names.count, names: scratch.url.appending(path: "names").path,
            password: Bench.password)
        func bench(_ cluster: any ClusterControl) -> Bench {
            Bench(
                lab: nil, truth: Vcsim(server: server), name: ClusterName("DC0_C0"),
                cluster: cluster, server: nil,
                address: LabVCenterAddress(
                    port: server.port, certificateSHA256: certificate.sha256,
                    certificatePEMPath: certificate.pem))
        }
        // A client needs a bench for its address, and the bench a client.
        let cluster = try bench(MemoryCluster(LabWorld(scenario, time: RealTime()))).client()
        try await body(bench(cluster))
        await cluster.close()
    }
}

@Suite struct VcsimTests {
    @Test func `what the simulator cannot be asked is told with its reason`() {
        #expect(Vcsim.runs.isDisjoint(with: Vcsim.skipped.keys))
        for (name, reason) in Vcsim.skipped.sorted(by: { $0.key < $1.key }) {
            #expect(!reason.isEmpty)
            print("vcsim is not asked \"\(name)\": \(reason)")
        }
        print("vcsim is asked \(Vcsim.runs.count) cases, and not \(Vcsim.skipped.count)")
    }
}
