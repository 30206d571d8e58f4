public import PowerModel

/// One thing that happened at the simulated site, as the site itself saw it.
public struct LabEvent: Codable, Hashable, Sendable {
    /// What kinds of things happen.
    public enum Kind: String, Codable, Hashable, Sendable {
        /// The mains failed or came back.
        case mainsOff, mainsOn
        /// The UPS was told to cut its output; it is off; it is on again.
        case outputCutAsked, outputOff, outputOn
        /// HA was switched; its agents have followed.
        case haOff, haOn, haAgentsGone, haAgentsBack
        /// HA's agent was stopped on one host, or started again.
        case haAgentStopped, haAgentStarted
        /// DRS's level, whether guests' own levels count, or DPM was changed (`detail`: to what).
        case drsChanged, drsOverridesChanged, dpmChanged
        /// vCLS was put into retreat mode or back; its guests followed.
        case vclsRetreat, vclsBack, vclsGuestsGone, vclsGuestsBack
        /// A guest was asked to shut down; it is off (`detail`: clean or forced); its power was
        /// lost with its host's; it was started (`detail`: by whom).
        case guestAsked, guestOff, guestLost, guestOn
        /// A guest's question was answered (`detail`: with what).
        case guestAnswered
        /// A guest's memory was written to disk; it was registered on another host (`detail`).
        case guestSuspended, guestRegistered
        /// A host was told to shut vpower's own guest and then itself down.
        case hostLeft
        /// A host was told to shut down; it is off; its power was lost; it runs; hostd answers.
        case hostTold, hostOff, hostLost, hostUp, hostdUp
        /// A machine was told to go; that was called off; it is off; its power was lost; it runs.
        case machineTold, machineCalledOff, machineOff, machineLost, machineUp
        /// Maintenance mode.
        case maintenanceOn, maintenanceOff
        /// vCenter was asked to shut a vSAN cluster down, or to start it; it was prepared, by a
        /// host or by vCenter (`detail`); it was recovered.
        case vsanPowerOff, vsanPowerOn, vsanPrepared, vsanRecovered
        /// A boot script was armed; it is so no more (`detail`: who did that); it began; it is done.
        case armed, disarmed, bootScriptBegan, bootScriptDone
        /// What a host starts by itself was changed (`detail`: "as before", "on" or "off").
        case autostartSet
        /// A host's SSH service was started or stopped; not by a boot.
        case sshStarted, sshStopped
        /// vCenter went away, or answers.
        case vcenterDown, vcenterUp
        /// DRS moved a guest (`detail`: to which host).
        case guestMoved
        /// A fault took effect for the first time (`detail`: its kind); all faults are over.
        case fault, healed
    }

    /// Its number, from 1.
    public var number: Int
    /// Seconds since the lab began.
    public var atSeconds: Double
    /// What happened.
    public var kind: Kind
    /// To what: a guest's identity, a host's name, or empty.
    public var object: String
    /// More of it.
    public var detail: String
}

/// What a host has saved of a boot script.
public enum LabBootScript: Hashable, Sendable {
    /// None.
    case none
    /// One that acts at the next boot.
    case armed
    /// One that is there for what it does at every boot, or has disarmed itself.
    case unarmed
}

/// A record that the lab saw on disk, and how much had happened at the site by then.
public struct LabRecord: Hashable, Sendable {
    /// The number of the last event before it.
    public var afterEvent: Int
    /// Seconds since the lab began.
    public var atSeconds: Double
    /// The record.
    public var record: Record
    /// Whether it is nowhere any more: it was in the spare journal only, and that went with the
    /// power of vpower's machine.
    public internal(set) var isLost = false
}
