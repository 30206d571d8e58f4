import ESXi
import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// Which implementation of a host is under test.
enum HostKind: Hashable, CaseIterable, CustomTestStringConvertible {
    /// The one in memory, which the engine is tested with.
    case memory
    /// The real one against sshd and busybox.
    case ssh
    /// The real one against the simulated host's own SOAP endpoint.
    case soap(LabRelease)
    /// Both at one host, SOAP first.
    case both
    /// The real one against govmomi's simulator, as far as that goes (see `VcsimHost`).
    case vcsim

    static let allCases: [HostKind] = [.memory, .ssh, .both, .vcsim] + everySOAP
    /// At each release.
    static let everySOAP = LabRelease.allCases.map { HostKind.soap($0) }
    /// At one release, where it makes no difference.
    static let soap = HostKind.soap(.v80u3)

    var testDescription: String {
        if case .soap(let release) = self { "soap \(release.rawValue)" } else { "\(self)" }
    }
    /// Whether it has the boot script.
    var hasScript: Bool { [.memory, .ssh, .both].contains(self) }
    var hasSSH: Bool { self == .ssh || self == .both }
    /// What the endpoint is; nil without one.
    var release: LabRelease? {
        switch self {
        case .soap(let release): release
        case .both: .v80u3
        case .memory, .ssh, .vcsim: nil
        }
    }
}

/// One host of the standard site, and the truth behind it.
struct HostBench {
    /// app-web01, mid-queue01, mid-notools, db-backup, one vCLS.
    static let name = HostName("esx1.lab")
    static let user = "root"
    static let password = "pass & <word>\"'"

    private let site: LabWorld?
    let host: any HostWay
    var ssh: ESXiHost?
    var soap: HostOverSOAP?
    var lab: LabESXiHost?
    var api: LabHostAPI?
    var address: LabVCenterAddress?
    let account: LabHostAccount
    /// The guests at first, where there is no lab.
    var firstRows: [HostGuest] = []

    init(
        world: LabWorld?, host: any HostWay, ssh: ESXiHost? = nil, soap: HostOverSOAP? = nil,
        lab: LabESXiHost? = nil, api: LabHostAPI? = nil, address: LabVCenterAddress? = nil,
        account: LabHostAccount
    ) {
        site = world
        self.host = host
        self.ssh = ssh
        self.soap = soap
        self.lab = lab
        self.api = api
        self.address = address
        self.account = account
    }

    /// The lab's world: a case that needs it cannot be tried on anything else.
    var world: LabWorld {
        guard let site else { preconditionFailure("the case needs the lab: see VcsimHost") }
        return site
    }

    /// The guests of the host, as they are at first.
    var rows: [HostGuest] {
        guard let site else { return firstRows }
        return site.rows(on: Self.name).map {
            HostGuest(name: $0.name, vmxPath: $0.vmxPath, power: $0.power)
        }
    }

    /// What happened to guests; nil where nobody keeps a log.
    var log: [LabEvent.Kind]? { site?.log.map(\.kind) }

    /// The host with its boot script, where it has one.
    var control: any HostControl {
        get throws { try #require(host as? any HostControl) }
    }

    /// The guest of this name as its host knows it.
    func guest(_ name: String) throws -> BootGuest {
        if site == nil {
            let row = try #require(firstRows.first { $0.name == name })
            return BootGuest(name: row.name, vmxPath: row.vmxPath)
        }
        let spec = try #require(world.scenario.guests.first { $0.name == name })
        return BootGuest(name: spec.name, vmxPath: spec.vmxPath)
    }

    func power(_ name: String) async throws -> GuestPower? {
        try await host.guests().first { $0.name == name }?.power
    }

    /// Looks until it is so; whether it became so.
    func eventually(_ holds: () async throws -> Bool) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await holds() { return true }
            try await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    /// Another client of the host's endpoint.
    func client(
        password: String = HostBench.password, sha256: String? = nil, port: Int? = nil,
        limits: HostSOAPLimits = HostSOAPLimits()
    ) throws -> HostOverSOAP {
        let address = try #require(address)
        return HostOverSOAP(
            Self.name,
            site: HostAPISite(
                endpoint: Endpoint(host: "127.0.0.1", port: port ?? address.port),
                user: Self.user, password: .file(path: "/secret"),
                trust: .pinned(sha256: sha256 ?? address.certificateSHA256)),
            password: Secret(password), limits: limits)
    }

    /// Runs a test at a host of this kind, and cleans up.
    static func with(
        _ kind: HostKind, prepare: (inout LabScenario) -> Void = { _ in },
        _ body: (HostBench) async throws -> Void
    ) async throws {
        var pace = LabPace()
        pace.guestStops = .milliseconds(300)
        pace.hostStops = .milliseconds(200)
        pace.haRestarts = .seconds(600)
        var scenario = LabScenario.standard(pace: pace)
        prepare(&scenario)
        let world = LabWorld(scenario, time: RealTime())
        let account = LabHostAccount(user: user, password: password, time: RealTime())
        if kind == .vcsim { return try await VcsimHost.with(account, body) }
        if kind == .memory {
            let host = MemoryHost(name, in: world)
            return try await body(HostBench(world: world, host: host, account: account))
        }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-host-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let lab = LabESXiHost(
            name: name.rawValue, directory: directory, backend: LabWireBackend(world: world),
            account: account)
        let api = LabHostAPI(
            name, in: world, account: account, directory: directory,
            release: kind.release ?? .v80u3)
        let outcome: Result<Void, any Error>
        do {
            try await body(try await wire(kind, world, lab, api, account))
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await api.stop()
        await lab.powerOff(orderly: false)
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    private static func wire(
        _ kind: HostKind, _ world: LabWorld, _ lab: LabESXiHost, _ api: LabHostAPI,
        _ account: LabHostAccount
    ) async throws -> HostBench {
        var ssh: ESXiHost?
        if kind.hasSSH {
            try await lab.start()
            let site = HostSite(
                name: name, ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
                user: lab.user, login: .key(path: lab.userKeyPath),
                hostKeys: [await lab.hostKeyFingerprint], feeds: [])
            ssh = try ESXiHost(site: site, secret: nil, otherPorts: [])
        }
        let none = HostBench(world: world, host: MemoryHost(name, in: world), account: account)
        guard kind.release != nil else {
            return HostBench(
                world: world, host: ssh ?? none.host, ssh: ssh, lab: lab, account: account)
        }
        var bench = HostBench(
            world: world, host: none.host, ssh: ssh, lab: lab, api: api,
            address: try await api.start(), account: account)
        let soap = try bench.client()
        bench.soap = soap
        return HostBench(
            world: world,
            host: ssh.map { HostByTwoWays(preferred: .soap, ssh: $0, soap: soap) } ?? soap,
            ssh: ssh, soap: soap, lab: lab, api: api, address: bench.address, account: account)
    }

    /// The simulated machine follows what the world says of it, as `LabWire` does it.
    func followPower(while body: () async throws -> Void) async throws {
        let (world, lab) = (world, lab)
        let pump = Task {
            while !Task.isCancelled {
                for transition in world.takeTransitions() {
                    if case .hostOff(Self.name, let orderly) = transition {
                        await lab?.powerOff(orderly: orderly)
                    }
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        defer { pump.cancel() }
        try await body()
    }
}

/// Why something failed; nil when it did not.
func reason(_ body: () async throws(HostError) -> Void) async -> HostError.Reason? {
    await failure(body)?.reason
}

/// How something failed; nil when it did not.
func failure(_ body: () async throws(HostError) -> Void) async -> HostError? {
    do throws(HostError) {
        try await body()
        return nil
    } catch { return error }
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
