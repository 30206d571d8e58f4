import PowerModel

/// What can go wrong at the simulated site, or with vpower itself. One kind each, so that a sweep
/// can show that none was left out.
public enum LabFault: String, Codable, Hashable, Sendable, CaseIterable {
    // Hosts. The object is the host's name.
    /// It says no to whatever it is asked to do.
    case hostRefuses
    /// It takes a call and does not answer it.
    case hostHangs
    /// It takes its time to stop.
    case hostStopsLate
    /// It was told to stop and goes on answering.
    case hostNeverStops
    /// It was shut down and starts by itself.
    case hostComesBack
    /// It shows another host key.
    case hostKeyWrong
    /// Its hostd does not answer.
    case hostdNotReady
    /// Its firmware stays off after a clean stop (BIOS "last state").
    case hostStaysOff
    /// Its power supplies hang on two feeds.
    case hostsDualFed

    // Guests. The object is the guest's identity.
    /// It takes a shutdown request and does nothing.
    case guestIgnores
    /// Its Tools do not run.
    case guestWithoutTools
    /// It waits for an answer to a question.
    case guestHasQuestion
    /// A solution has disabled its being shut down.
    case guestDisabled
    /// An operation of its vApp is under way: requests are refused until that is over.
    case guestBusy
    /// Somebody suspends it.
    case guestSuspended
    /// HA starts it again after it has shut down, if HA is still on.
    case guestRestartedByHA

    // The cluster.
    /// A vCLS guest is deployed again, unless vCLS is in retreat mode.
    case vclsComesBack
    /// DRS moves a guest, unless it is manual.
    case drsMoves
    /// vCenter takes its time.
    case vcenterSlow
    /// vCenter has forgotten the session.
    case vcenterSessionExpired
    /// What vCenter shows is some time behind what is so.
    case vcenterStateLags
    /// vCSA crashes during the outage.
    case vcenterDiesEarly
    /// vCSA has crashed before the outage.
    case vcenterDeadBefore
    /// vCenter is a guest of the cluster.
    case vcenterIsGuest
    /// Datastores come late after a host's boot. The object is the host's name.
    case datastoreLate
    /// The task that changes HA fails.
    case haTaskFails
    /// One host's HA agent never follows. The object is the host's name.
    case haAgentSticks
    /// Names are not resolved once the guest that does it is off.
    case dnsDies

    // The network. The object is a host, `vcenter`, or a feed.
    /// The switch is dead: everybody is silent, nobody is off.
    case switchDead
    /// One link is cut.
    case linkCut

    // Power. The object is the feed.
    /// The mains come and go.
    case powerFlaps
    /// The runtime the UPS gives jumps.
    case runtimeJumps
    /// The UPS gives no runtime.
    case runtimeMissing
    /// The battery is low at once.
    case lowBatteryWithoutWarning
    /// upsd, or its driver, is silent.
    case feedSilent
    /// One of two feeds fails, the other does not.
    case feedsDisagree
    /// FSD stays set while the mains are there.
    case staleFSD
    /// The mains return at any moment.
    case mainsReturnEarly
    /// The mains fail again.
    case secondOutage
    /// The battery ends before everything is down.
    case batteryDies

    // vpower itself.
    /// The machine it runs on loses its power, and starts again with the mains.
    case controllerLosesPower
    /// It is killed before a record is written.
    case killedBeforeRecord
    /// It is killed after a record was written.
    case killedAfterRecord
    /// Its disk is full.
    case diskFull
    /// The wall clock is set.
    case wallClockStepped
}

/// One fault of one run: what, to what, when, for how long.
public struct PlannedFault: Hashable, Sendable, CustomStringConvertible {
    /// What goes wrong.
    public var kind: LabFault
    /// To what: see ``LabFault``; empty for the site as a whole.
    public var object: String
    /// When, in the lab's own time.
    public var at: Duration
    /// For how long; what happens in a moment ignores it.
    public var lasts: Duration
    /// How late, how long, how far: as the kind needs it.
    public var amount: Duration

    /// A fault.
    public init(
        _ kind: LabFault, _ object: String = "", at: Duration = .zero,
        lasts: Duration = .seconds(100_000), amount: Duration = .zero
    ) {
        self.kind = kind
        self.object = object
        self.at = at
        self.lasts = lasts
        self.amount = amount
    }

    /// One line for people.
    public var description: String {
        "\(kind.rawValue)(\(object)) at \(at.inSeconds) s for \(lasts.inSeconds) s, "
            + "\(amount.inSeconds) s"
    }
}
