public import PowerModel
public import PowerRun
import Synchronization

/// The simulated site as everybody shares it: its vCenter, its hosts, its UPSes, and whoever asks
/// what became of them. The same world serves a drill in memory, on a virtual clock, and one on
/// the wire, on the real clock.
///
/// A lock rather than an actor: nothing waits inside of it, and a simulation would spend its time
/// with the ways there and back.
public final class LabWorld: Sendable {
    /// The site before anything happened.
    public let scenario: LabScenario
    let time: any TimeSource
    /// The same clock where it is a virtual one.
    private let virtual: VirtualTime?
    private let state: Mutex<LabState>

    /// A site as the scenario has it, with every host on.
    public init(_ scenario: LabScenario, time: any TimeSource) {
        self.scenario = scenario
        self.time = time
        virtual = time as? VirtualTime
        state = Mutex(LabState(scenario, time: time))
    }

    /// Does what is due by now, then looks at the site or changes it: nobody else meanwhile.
    func turn<Value: Sendable, Failure: Error>(
        _ body: (inout LabState) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try state.withLock { state throws(Failure) in
            state.advance()
            return try body(&state)
        }
    }

    // MARK: Time

    /// Does everything that is due.
    public func advance() { turn { _ in } }

    /// Seconds since the lab began.
    public var seconds: Double { turn { $0.seconds } }

    /// Grows with every change.
    public var version: UInt64 { turn { $0.version } }

    /// Returns when the world is newer than `version`, or `limit` has passed.
    /// - Parameter delay: so long after a change, where the clock is a virtual one: several changes
    ///   are told at once.
    public func change(
        after seen: UInt64, within limit: Duration, telling delay: Duration = .zero
    ) async -> UInt64 {
        let deadline = time.elapsed + limit
        while true {
            let (version, nextDue) = turn { ($0.version, $0.nextDue) }
            if version > seen || time.elapsed >= deadline { return version }
            let next = nextDue.map { min(deadline, $0 + delay) } ?? deadline
            do { try await pause(until: next, telling: delay) } catch { return version }
        }
    }

    /// Waits until something may have changed, or the moment has come.
    private func pause(
        until moment: Duration, telling delay: Duration
    ) async throws(CancellationError) {
        let now = time.elapsed
        if let virtual {
            return try await virtual.sleepUntilRung(
                for: max(moment - now, LabWorld.tick), wakingAfter: delay)
        }
        try await time.sleep(for: max(min(moment - now, LabWorld.lookEvery), LabWorld.tick))
    }

    /// The shortest wait there is: never none, so that time goes on.
    private static let tick: Duration = .milliseconds(1)
    /// How often a waiting reader looks again: short, since another may change the world.
    private static let lookEvery: Duration = .milliseconds(50)

    // MARK: What became of it

    /// Everything that happened, in order.
    public var log: [LabEvent] { turn { $0.log } }

    /// The records that were on disk, in order, where the lab keeps the journal.
    public var records: [LabRecord] { turn { $0.records } }

    /// How often each kind of fault did something.
    public var faultsTaken: [LabFault: Int] { turn { $0.faults.took } }

    /// A record is on disk.
    public func sawRecord(_ record: Record) { turn { $0.sawRecord(record) } }

    /// vpower's machine lost its power: only these records are left of all that were seen.
    public func loseRecords(except kept: [Record]) { turn { $0.loseRecords(except: kept) } }

    /// A fault of vpower itself took effect: the lab does not run vpower.
    public func took(_ kind: LabFault) { turn { $0.took(kind) } }

    /// What whoever plays the hosts on the wire must follow, since it last asked.
    public func takeTransitions() -> [LabTransition] { turn { $0.takeTransitions() } }
}

/// The mains, the UPSes and their outputs. Where no feed is named, every one of them is meant.
extension LabWorld {
    /// The mains fail.
    public func failMains(_ feed: FeedName? = nil) { turn { $0.setMains(feed, on: false) } }

    /// The mains come back.
    public func returnMains(_ feed: FeedName? = nil) { turn { $0.setMains(feed, on: true) } }

    /// Whether the mains of any feed are there.
    public var hasMains: Bool { turn { $0.hasMains } }

    /// Whether any host gets power now.
    public var hasOutput: Bool { turn { $0.hasOutput } }

    /// The UPS is told to cut its output and to return with the mains.
    public func cutOutput(_ feed: FeedName? = nil) { turn { $0.cutOutput(feed) } }

    /// What upsd says of the UPS.
    public func upsVariables(of feed: FeedName? = nil) -> [String: String] {
        turn { $0.upsVariables(of: feed) }
    }

    /// What vpower reads of a UPS.
    public func reading(of feed: FeedName) -> FeedReading { turn { $0.reading(of: feed) } }

    /// Whether the witness behind the hosts' switch answers.
    public func witnessAnswers() -> Bool { turn { $0.witnessAnswers() } }

    /// The object of a cut link between vpower and vCenter.
    public static let vcenterLink = "vcenter"
}

/// The hosts. One that the scenario does not have is off and does nothing.
extension LabWorld {
    /// Where a host is in the table of hosts.
    func place(of host: HostName) -> HostPlace? { turn { $0.hosts.place(of: host) } }

    private func turn<Value: Sendable>(
        _ name: HostName, _ body: (inout LabState, HostPlace) -> Value
    ) -> Value? {
        turn { state in state.hosts.place(of: name).map { body(&state, $0) } }
    }

    /// Whether the host is up: its services can be reached.
    public func answers(_ name: HostName) -> Bool { turn(name) { $0.hosts[$1].answers } == true }

    /// Whether hostd answers.
    public func hostdReady(_ name: HostName) -> Bool {
        turn(name) { $0.hosts[$1].hostdAnswers } == true
    }

    /// Whether the host is in maintenance mode.
    public func inMaintenance(_ name: HostName) -> Bool {
        turn(name) { $0.hosts[$1].inMaintenance } == true
    }

    /// Enters or leaves maintenance mode; false when a guest runs there, or hostd is not ready.
    public func setMaintenance(_ name: HostName, on: Bool) -> Bool {
        turn(name) { $0.setMaintenance($1, on: on) } == true
    }

    /// Whether the host's SSH service runs, it being up or not.
    public func runsSSH(_ name: HostName) -> Bool { turn(name) { $0.hosts[$1].sshRuns } == true }

    /// Starts or stops the host's SSH service.
    public func setSSH(_ name: HostName, runs: Bool) {
        _ = turn(name) { $0.setSSH($1, runs: runs) }
    }

    /// Whether HA's agent runs on the host.
    public func runsHAAgent(_ name: HostName) -> Bool {
        turn(name) { $0.runsHAAgent($1) } == true
    }

    /// Stops HA's agent on the host, or starts it again.
    public func setHAAgent(_ name: HostName, runs: Bool) {
        _ = turn(name) { $0.setHAAgent($1, runs: runs) }
    }

    /// Whether the host keeps its list of vSAN's members.
    public func keepsVSANMembers(_ name: HostName) -> Bool {
        turn(name) { $0.hosts[$1].keepsVSANMembers } == true
    }

    /// The host keeps its list of vSAN's members, or does not.
    public func keepVSANMembers(_ name: HostName, _ on: Bool) {
        _ = turn(name) { $0.keepVSANMembers(on, on: $1) }
    }

    /// The host prepares the vSAN cluster, or recovers it; returns what it says when it does not.
    public func helpVSAN(_ name: HostName, prepares: Bool) -> String? {
        turn(name) { prepares ? $0.prepareVSAN(on: $1) : $0.recoverVSAN(on: $1) } ?? "no such host"
    }

    /// What hosts see of the vSAN cluster; nil where there is none.
    public func vsanMembership() -> VSANMembership? {
        turn { !$0.scenario.hasVSAN ? nil : $0.vsanMembership }
    }

    /// Tells the host to power itself off.
    public func shutDownHost(_ name: HostName) { _ = turn(name) { $0.shutDownHost($1) } }

    /// Starts the host as Wake-on-LAN would.
    public func wakeHost(_ name: HostName) { _ = turn(name) { $0.powerOnHost($1) } }

    /// The boot script in memory mode.
    public func setOrders(_ orders: BootOrders?, on name: HostName) {
        _ = turn(name) { $0.setOrders(orders, on: $1) }
    }

    /// What the host starts by itself.
    public func autostart(of name: HostName) -> HostAutostart? {
        turn(name) { $0.hosts[$1].autostart }
    }

    /// Changes what the host starts by itself.
    public func setAutostart(_ settings: HostAutostart, on name: HostName) {
        _ = turn(name) { $0.setAutostart(settings, on: $1) }
    }

    /// What a host has of a boot script was saved.
    public func bootScriptSaved(_ name: HostName, _ saved: LabBootScript) {
        turn {
            switch saved {
            case .armed: $0.note(.armed, name.rawValue)
            case .unarmed: $0.note(.disarmed, name.rawValue, LabState.byBootScript)
            case .none: $0.note(.disarmed, name.rawValue)
            }
        }
    }

    /// A boot script began or ended on the wire, where the host itself runs it.
    public func bootScriptNoted(_ name: HostName, done: Bool) {
        turn { $0.note(done ? .bootScriptDone : .bootScriptBegan, name.rawValue) }
    }

    /// The guests registered on a host, by number.
    public func rows(on name: HostName) -> [LabGuestRow] {
        turn(name) { state, host in state.registered(on: host).map(state.row) } ?? []
    }

    /// The guest with this number on a host.
    public func guestID(vmid: Int, on name: HostName) -> GuestID? {
        rows(on: name).first { $0.vmid == vmid }?.id
    }
}

/// The guests.
extension LabWorld {
    private func turn(
        _ id: GuestID, _ body: (inout LabState, GuestPlace) throws(LabRefusal) -> Void
    ) throws(LabRefusal) {
        try turn { state throws(LabRefusal) in try body(&state, try state.existing(id)) }
    }

    /// Asks a guest's Tools to shut it down, as `by` (vCenter or a host).
    public func shutDownGuest(_ id: GuestID, by: String) throws(LabRefusal) {
        try turn(id) { (state, guest) throws(LabRefusal) in
            try state.shutDownGuest(guest, by: by)
        }
    }

    /// Answers the question that a guest waits with.
    public func answer(
        _ id: GuestID, question: String, choice: String
    ) throws(LabRefusal) {
        try turn(id) { (state, guest) throws(LabRefusal) in
            try state.answer(guest, question: question, choice: choice)
        }
    }

    /// Cuts a guest's power.
    public func powerOffGuest(_ id: GuestID) throws(LabRefusal) {
        try turn(id) { (state, guest) throws(LabRefusal) in try state.powerOffGuest(guest) }
    }

    /// Writes a guest's memory to disk: it is suspended at once.
    public func suspendGuest(_ id: GuestID) throws(LabRefusal) {
        try turn(id) { (state, guest) throws(LabRefusal) in try state.suspendGuest(guest) }
    }

    /// Registers a guest on a host, where its own host is off: the files are on shared storage.
    public func registerGuest(at vmxPath: String, on host: HostName) throws(LabRefusal) {
        try turn { state throws(LabRefusal) in
            try state.registerGuest(at: vmxPath, on: try state.existing(host))
        }
    }

    /// Starts a guest where it is registered, as `by` (vCenter, or a host's shell).
    public func powerOnGuest(_ id: GuestID, on host: HostName, by: String) throws(LabRefusal) {
        try turn(id) { (state, guest) throws(LabRefusal) in
            try state.powerOnGuest(guest, on: try state.existing(host), by: by)
        }
    }
}

/// vCenter.
extension LabWorld {
    /// Whether vCenter can be spoken to.
    public enum VCenterState: Sendable, Hashable {
        /// Its guest is off: nobody listens.
        case down
        /// Its proxy answers 503.
        case starting
        /// It answers.
        case up
    }

    /// Whether vCenter can be spoken to now.
    public func vcenterState() -> VCenterState { turn { $0.vcenterState() } }

    /// vCSA powers itself off, by its own management interface.
    public func shutDownAppliance(in delay: Duration = .zero) throws(LabRefusal) {
        try turn { state throws(LabRefusal) in try state.shutDownAppliance(in: delay) }
    }

    /// Hosts and guests as vCenter shows them.
    public func inventory() -> Inventory { turn { $0.inventory() } }

    /// The automation as configured.
    public func currentAutomation() -> Automation { turn { $0.automationNow() } }
}

/// What whoever plays the hosts on the wire must follow.
public enum LabTransition: Sendable, Hashable {
    /// The host is off: stop its SSH daemon. Whether it stopped in order.
    case hostOff(HostName, orderly: Bool)
    /// The host has booted: run its local.sh, and its SSH daemon where a boot starts that.
    case hostUp(HostName)
    /// The host's SSH service was started or stopped.
    case ssh(HostName, runs: Bool)
}
