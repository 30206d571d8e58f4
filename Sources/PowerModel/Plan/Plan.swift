/// What will be done: phases of steps, each with its limit. A plan is a value; its digest says
/// whether two are the same.
public struct Plan: Hashable, Codable, Sendable {
    /// What it is for.
    public var kind: PlanKind
    /// The cluster.
    public var cluster: ClusterName
    /// The phases, in the order in which they are shown.
    public var phases: [Phase]

    /// A plan.
    public init(kind: PlanKind, cluster: ClusterName, phases: [Phase]) {
        self.kind = kind
        self.cluster = cluster
        self.phases = phases
    }

    /// Every step of every phase, in the order shown.
    public var steps: [Step] { phases.flatMap(\.steps) }

    /// The phase of this name.
    public func phase(_ name: PhaseName) -> Phase? { phases.first { $0.name == name } }
}

/// The kinds of plans (DESIGN 2).
public enum PlanKind: String, Hashable, Codable, Sendable {
    /// Some tiers go down; everything else, HA too, stays on.
    case shed
    /// Some hosts go down with what is on them; HA stays on.
    case hosts
    /// A whole cluster goes down.
    case cluster
    /// A whole vSAN cluster goes down.
    case vsan
    /// An outage's snapshot is brought back.
    case restore

    /// Whether a whole cluster goes down.
    public var isWhole: Bool { self == .cluster || self == .vsan }
}

/// A phase's name, e.g. `freeze` or `guests: apps`.
public typealias PhaseName = Name<PhaseKind>
/// Marks names of phases.
public enum PhaseKind: Sendable {}

extension Name where Kind == PhaseKind {
    /// HA off, DRS manual, DPM off.
    public static var freeze: Self { .init("freeze") }
    /// SSH started on the hosts where it runs for a run only.
    public static var openSSH: Self { .init("ssh") }
    /// SSH stopped again where vpower started it.
    public static var closeSSH: Self { .init("ssh closed") }
    /// HA's agents stopped on the hosts, where HA could not be switched off.
    public static var haAgents: Self { .init("ha agents") }
    /// vCLS into retreat mode.
    public static var retreat: Self { .init("retreat") }
    /// Hosts made to start their guests as they boot.
    public static var arm: Self { .init("arm") }
    /// What a tier's hooks do before it goes down.
    public static func before(_ tier: TierName) -> Self { .init("before: \(tier)") }
    /// What a tier's hooks do after it is down.
    public static func after(_ tier: TierName) -> Self { .init("after: \(tier)") }
    /// The clusters that need this one are down.
    public static var dependents: Self { .init("dependents") }
    /// One tier of guests.
    public static func guests(_ tier: TierName) -> Self { .init("guests: \(tier)") }
    /// vCSA.
    public static var vcsa: Self { .init("vcsa") }
    /// Infrastructure guests.
    public static var infrastructure: Self { .init("infrastructure") }
    /// A vSAN cluster made ready for its hosts to go, or shut down by vCenter.
    public static var vsan: Self { .init("vsan") }
    /// Hosts that hold neither vCSA nor the controller.
    public static var hosts: Self { .init("hosts") }
    /// vCSA is on again.
    public static var vcsaBack: Self { .init("vcsa back") }
    /// vCSA's host.
    public static var vcsaHost: Self { .init("vcsa's host") }
    /// The host of the guest in which vpower runs.
    public static var controllerHost: Self { .init("controller's host") }
    /// Storage and others.
    public static var machines: Self { .init("machines") }
    /// Machines are back.
    public static var machinesBack: Self { .init("machines back") }
    /// The controller's host has gone, as it was told.
    public static var left: Self { .init("left") }
    /// Hosts are back.
    public static var hostsBack: Self { .init("hosts back") }
    /// Boot scripts have reported.
    public static var bootScripts: Self { .init("boot scripts") }
    /// A vSAN cluster recovered: its guests can be started.
    public static var vsanBack: Self { .init("vsan back") }
    /// vCenter answers and its hosts are connected.
    public static var vcenterBack: Self { .init("vcenter back") }
    /// vCLS and DRS as they were.
    public static var thaw: Self { .init("thaw") }
    /// What hosts start by themselves as it was.
    public static var autostartBack: Self { .init("autostart back") }
    /// HA as it was.
    public static var haBack: Self { .init("ha back") }
    /// Boot scripts taken out.
    public static var disarm: Self { .init("disarm") }
}

/// A group of steps. It starts when the phases it needs are over, not when the one above it is.
public struct Phase: Hashable, Codable, Sendable {
    /// Its name, unique in the plan.
    public var name: PhaseName
    /// The phases that must be over before it starts.
    public var needs: [PhaseName]
    /// The longest it may take.
    public var budget: Duration
    /// Its steps, in order; they run side by side unless the phase says otherwise.
    public var steps: [Step]

    /// A phase.
    public init(name: PhaseName, needs: [PhaseName], budget: Duration, steps: [Step]) {
        self.name = name
        self.needs = needs
        self.budget = budget
        self.steps = steps
    }
}

/// What is done to one object.
public struct Step: Hashable, Codable, Sendable {
    /// Unique in the plan and the same in every plan that does the same.
    public var id: StepID
    /// What is done.
    public var action: Action
    /// The longest it may take.
    public var limit: Duration
    /// The steps of the same phase that must be over before it begins.
    public var needs: [StepID]
    /// How long it is expected to take; nil where no past run tells.
    public var estimate: Duration?

    /// A step.
    public init(
        _ action: Action, limit: Duration, needs: [StepID] = [], estimate: Duration? = nil
    ) {
        id = action.id
        self.action = action
        self.limit = limit
        self.needs = needs
        self.estimate = estimate
    }
}

/// How a guest is started, and when it counts as started.
public struct StartTerms: Hashable, Codable, Sendable {
    /// It was asked to shut down and may still do so: only after that time "on" means that it
    /// stays on.
    public var mayStopFor: Duration
    /// How long its Tools may take to answer, where it counts as started only then.
    public var toolsWithin: Duration?
    /// How long after it was started what comes after it waits.
    public var delay: Duration
    /// Whether it may be registered and started on another host, once its own is proven off.
    public var mayAdopt: Bool

    /// Terms; by default a guest counts as started when it is seen on.
    public init(
        mayStopFor: Duration = .zero, toolsWithin: Duration? = nil, delay: Duration = .zero,
        mayAdopt: Bool = false
    ) {
        self.mayStopFor = mayStopFor
        self.toolsWithin = toolsWithin
        self.delay = delay
        self.mayAdopt = mayAdopt
    }
}

/// When a tier's hook is run.
public enum HookMoment: String, Hashable, Codable, Sendable {
    /// Before the tier goes down.
    case before
    /// After the tier is down.
    case after
}

/// What a step does. The object is named by identity; everything else comes from the snapshot.
public indirect enum Action: Hashable, Codable, Sendable {
    /// HA off, DRS manual for every guest, DPM off: seen to be so.
    case freeze
    /// Where freeze did not see HA off: its agents stopped on these hosts, seen not to run.
    case stopHAAgents([HostName])
    /// vCLS into retreat mode: its guests seen to be gone.
    case retreat
    /// A host made to start its guests as it boots, or left to vpower, and read back; nil in older
    /// records: by the boot script.
    case arm(HostName, BootOrders, BootChoice?)
    /// A hook of a tier: its place among those of the same moment counts from 1.
    case runHook(Hook, TierName, HookMoment, place: Int)
    /// A cluster that needs this one seen to be down, where it goes down in the same outage.
    case awaitClusterDown(ClusterName)
    /// Guest shut down through vCenter.
    case stopGuest(GuestID, name: String, Escalation)
    /// vCSA or an infrastructure guest shut down through its host; never powered off hard.
    case stopGuestOnHost(GuestID, name: String, HostName)
    /// A vSAN cluster, all its other guests off, shut down by vCenter, or made ready by hand on
    /// these hosts; `vcsa` is a vCSA among its guests that this has to stop.
    case stopVSAN(VSANWay, [HostName], vcsa: GuestID?)
    /// Host shut down and seen to be down; in a plan of the kind `vsan` only once that is ready.
    case stopHost(HostName, maintenance: Bool)
    /// The host of the guest in which vpower runs, told to shut that guest and then itself down:
    /// the last thing a run does, and it sees neither down.
    case leaveHost(HostName, controller: GuestID, name: String)
    /// Machine shut down and seen to be down; `delay` is how long after it was told it goes, nil
    /// where it does so at once.
    case stopMachine(MachineName, delay: Duration?)
    /// Machine told to go by itself, after the controller's host: nobody is there to see it down
    /// within that time.
    case tellMachine(MachineName, delay: Duration, goneWithin: Duration)
    /// Machine woken and seen to answer: first called off or waited for, where it may be about to
    /// go.
    case startMachine(MachineName, going: MachineDeparture?)
    /// A host that vpower handed over to, and that has not gone yet, waited for: it is about to.
    case awaitLeave(HostName)
    /// Host seen to be back, woken if it is not; out of maintenance mode where vpower put it there.
    case awaitHost(HostName, leaveMaintenance: Bool)
    /// Boot script armed by this run seen to have reported.
    case awaitBootScript(HostName, RunID)
    /// vCSA or an infrastructure guest seen to be on: started on its host if no boot script did.
    case startGuestOnHost(GuestID, name: String, HostName, StartTerms)
    /// A vSAN cluster of these hosts seen to be recovered, the way it went down.
    case startVSAN(VSANWay, [HostName])
    /// vCenter seen to answer, with every host that is back connected.
    case awaitVCenter
    /// vCLS as the snapshot has it.
    case thawVCLS(VCLSSetting, mode: VCLSMode?)
    /// DRS and DPM as the snapshot has them; `overrides` is whether guests' own DRS levels count,
    /// nil where the snapshot does not say.
    case thawDRS(DRSLevel, overrides: Bool?, dpm: Bool)
    /// A guest of the snapshot seen to be on: started on its host if it is not.
    case startGuest(GuestID, name: String, HostName, StartTerms)
    /// HA as the snapshot has it.
    case thawHA(Bool)
    /// HA's agent seen to run on a host where vpower stopped it.
    case startHAAgent(HostName)
    /// What a host starts by itself as it was before vpower changed it.
    case restoreAutostart(HostName, HostAutostart)
    /// Boot script taken out.
    case disarm(HostName)
    /// SSH seen to run on a host: started where it does not.
    case openSSH(HostName)
    /// SSH stopped on a host where vpower started it in this outage: known from an earlier run, or
    /// else for this run to find out.
    case closeSSH(HostName, wasOpened: Bool)

    /// The step's identity.
    public var id: StepID {
        switch self {
        case .freeze: .freeze
        case .stopHAAgents: .stopHAAgents
        case .retreat: StepID("retreat")
        case .arm(let host, _, _): StepID("arm/" + host.rawValue)
        case .runHook(_, let tier, let moment, let place):
            StepID("hook/\(moment.rawValue)/\(tier)/\(place)")
        case .awaitClusterDown(let cluster): StepID("await-cluster/" + cluster.rawValue)
        case .stopGuest(let guest, _, _): .stop(guest)
        case .stopGuestOnHost(let guest, _, _): .stop(guest)
        case .stopVSAN: .stopVSAN
        case .startVSAN: .startVSAN
        case .stopHost(let host, _), .leaveHost(let host, _, _):
            StepID("stop-host/" + host.rawValue)
        case .stopMachine(let machine, _), .tellMachine(let machine, _, _):
            StepID("stop-machine/" + machine.rawValue)
        case .startMachine(let machine, _): StepID("start-machine/" + machine.rawValue)
        case .awaitLeave(let host): StepID("await-leave/" + host.rawValue)
        case .awaitHost(let host, _): StepID("await-host/" + host.rawValue)
        case .awaitBootScript(let host, _): StepID("await-boot-script/" + host.rawValue)
        case .startGuestOnHost(let guest, _, _, _): StepID("start/" + guest.rawValue)
        case .awaitVCenter: StepID("await-vcenter")
        case .thawVCLS: StepID("thaw-vcls")
        case .thawDRS: StepID("thaw-drs")
        case .startGuest(let guest, _, _, _): StepID("start/" + guest.rawValue)
        case .thawHA: StepID("thaw-ha")
        case .startHAAgent(let host): StepID("start-ha-agent/" + host.rawValue)
        case .restoreAutostart(let host, _): StepID("restore-autostart/" + host.rawValue)
        case .disarm(let host): StepID("disarm/" + host.rawValue)
        case .openSSH(let host): .openSSH(on: host)
        case .closeSSH(let host, _): StepID("close-ssh/" + host.rawValue)
        }
    }

    /// The step in an operator's words, on one line.
    public var summary: String {
        switch self {
        case .freeze: "HA off, DRS manual, DPM off"
        case .stopHAAgents(let hosts):
            "where HA is not seen off: stop its agents on \(hosts.count.counted("host"))"
        case .retreat: "vCLS into retreat mode"
        case .arm(let host, let orders, let choice): Self.armed(host, orders, choice)
        case .runHook(let hook, _, _, _):
            "run \(hook.command.joined(separator: " ").onOneLine)"
        case .awaitClusterDown(let cluster): "wait until cluster \(cluster) is down"
        case .stopGuest(_, let name, _): "shut down guest \(name.onOneLine)"
        case .stopGuestOnHost(_, let name, let host):
            "shut down guest \(name.onOneLine) through \(host)"
        case .stopVSAN(.wizard, _, let vcsa):
            "vCenter shuts the vSAN cluster down\(vcsa == nil ? "" : ", itself too")"
        case .stopVSAN(.manual, let hosts, _):
            "make vSAN ready on \(hosts.count.counted("host"))"
        case .startVSAN(.wizard, _): "vCenter starts the vSAN cluster"
        case .startVSAN(.manual, let hosts):
            "recover vSAN on \(hosts.count.counted("host"))"
        case .stopHost(let host, let maintenance):
            maintenance ? "maintenance mode, then shut down \(host)" : "shut down \(host)"
        case .leaveHost(let host, _, let name):
            "hand over to \(host): it shuts \(name.onOneLine) and itself down"
        case .stopMachine(let machine, let delay):
            "shut down \(machine)" + (delay.map { ", which goes \($0.short) later" } ?? "")
        case .tellMachine(let machine, let delay, _):
            "tell \(machine), which goes by itself \(delay.short) later"
        case .startMachine(let machine, let going):
            going == nil ? "wake \(machine)" : "call off \(machine), or wake it once it has gone"
        case .awaitLeave(let host): "wait until \(host) has gone, as it was told"
        case .awaitHost(let host, _): "wait for \(host)"
        case .awaitBootScript(let host, _): "wait for the boot script of \(host)"
        case .startGuestOnHost(_, let name, let host, _):
            "start guest \(name.onOneLine) through \(host)"
        case .awaitVCenter: "wait for vCenter"
        case .thawVCLS(let setting, let mode):
            "vCLS back \(setting.keepsGuests && mode != .absent ? "on" : "to retreat")"
        case .thawDRS(let level, let overrides, let dpm):
            "DRS back to \(level.rawValue)\(overrides == true ? ", guests' own levels too" : "")"
                + (dpm ? ", DPM on" : "")
        case .startGuest(_, let name, let host, _): "start guest \(name.onOneLine) on \(host)"
        case .thawHA(let on): "HA back \(on ? "on" : "off")"
        case .startHAAgent(let host): "start HA's agent on \(host)"
        case .restoreAutostart(let host, _): "autostart of \(host) back as it was"
        case .disarm(let host): "disarm \(host)"
        case .openSSH(let host): "start SSH on \(host)"
        case .closeSSH(let host, let wasOpened):
            "stop SSH on \(host)\(wasOpened ? "" : ", if it was started for this")"
        }
    }

    private static func armed(
        _ host: HostName, _ orders: BootOrders, _ choice: BootChoice?
    ) -> String {
        let guests = orders.guests.count.counted("guest")
        let why = choice?.why.map { ", because \($0)" } ?? ""
        return switch choice?.way {
        case .localsh?, nil: "arm \(host) (\(guests))"
        case .autostart?: "arm \(host) (\(guests)) by its autostart\(why)"
        case .controller?: "leave \(host) (\(guests)) to vpower alone\(why)"
        }
    }
}

extension String {
    /// The text with control characters shown as `\u{…}` and cut after 80 scalars: for people.
    public var onOneLine: String { onOneLine(atMost: 80) }

    /// The same, cut after another number of scalars.
    public func onOneLine(atMost limit: Int) -> String {
        let printable = UInt8(ascii: " ")...UInt8(ascii: "~")
        if utf8.count <= limit, utf8.allSatisfy(printable.contains) { return self }
        var shown = ""
        // Scalars, since any number of combining marks makes one character.
        for (count, scalar) in unicodeScalars.enumerated() {
            if count >= limit { return shown + "…" }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
