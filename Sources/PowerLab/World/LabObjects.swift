import PowerModel
import PowerRun

/// What never changes of something that is copied at every look.
private final class Fixed<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// Where a guest is in the table of guests.
typealias GuestPlace = LabTable<GuestID, LabGuest>.Place
/// Where a host is in the table of hosts.
typealias HostPlace = LabTable<HostName, LabHost>.Place

/// A simulated guest as it is now.
struct LabGuest: Sendable {
    private let fixed: Fixed<LabGuestSpec>
    var vmid: Int
    var host: HostPlace
    var power: GuestPower
    var toolsRunning: Bool
    var exists = true
    var stopping = false
    /// Whether the question it was made with is answered.
    var isAnswered = false
    /// HA restarts only what did not stop cleanly.
    var stoppedCleanly = true
    /// Whether vCenter shows it as it was.
    var isShownStale = false

    var spec: LabGuestSpec { fixed.value }

    /// It is not on any more.
    mutating func stop(_ power: GuestPower, cleanly: Bool) {
        self.power = power
        toolsRunning = false
        stopping = false
        stoppedCleanly = cleanly
    }

    init(spec: LabGuestSpec, on host: HostPlace, vmid: Int) {
        fixed = Fixed(spec)
        self.vmid = vmid
        self.host = host
        power = spec.isOn ? .on : .off
        toolsRunning = spec.isOn && spec.hasTools
    }
}

/// A simulated host as it is now.
struct LabHost: Sendable {
    enum Power: Sendable { case on, stopping, off, booting }
    private let fixed: Fixed<LabHostSpec>
    var power: Power = .on
    var hostdReady = true
    var hostdUpAt: Duration = .zero
    /// The guests that are registered on it, by number.
    var guests: [GuestPlace] = []
    var highestVMID = 0
    var stoppedCleanly = false
    /// Whether vCenter shows it as it was.
    var isShownStale = false
    /// Guests its boot script could not start.
    var bootFailed: [String] = []
    /// How many its boot script has seen on.
    var bootStarted = 0
    var inMaintenance = false
    /// Whether it sleeps: off, by DPM's doing.
    var inStandby = false
    /// Whether somebody stopped HA's agent since the host booted.
    var haAgentStopped = false
    /// Whether it keeps its list of a vSAN cluster's members: a setting, which a boot leaves.
    var keepsVSANMembers = false
    /// Whether its SSH service runs: a boot goes by its policy.
    var sshRuns: Bool
    /// What vpower has told it to do by itself, and it is still at.
    var leaving: LeaveOrders?
    /// Grows with each boot, so that what an earlier boot had planned is void.
    var generation = 0
    /// The boot script in memory mode: what is saved survives a boot.
    var orders: BootOrders?
    /// What the boot script found as the host booted, and goes by whatever is saved since.
    var ordersAtBoot: BootOrders?
    var bootReport: (run: RunID, report: BootReport)?
    /// What it starts by itself: a setting, which a boot leaves.
    var autostart: HostAutostart
    /// The same as nobody but vpower has left it.
    var autostartBefore: HostAutostart
    /// The run of a script that has disarmed itself: it still runs at every boot, and starts
    /// nothing.
    var unarmed: RunID?

    var spec: LabHostSpec { fixed.value }

    /// It is off.
    mutating func stop(orderly: Bool) {
        power = .off
        hostdReady = false
        generation += 1
        bootReport = nil
        leaving = nil
        haAgentStopped = false
        stoppedCleanly = orderly
    }

    /// Whether it is up: its services can be reached.
    var answers: Bool { power == .on || power == .stopping }
    /// Whether hostd answers.
    var hostdAnswers: Bool { answers && hostdReady }
    /// Whether guests may be placed on it.
    var takesGuests: Bool { power == .on && hostdReady && !inMaintenance }

    init(spec: LabHostSpec) {
        fixed = Fixed(spec)
        autostart = spec.autostart
        autostartBefore = spec.autostart
        inStandby = spec.inStandby
        sshRuns = spec.sshRuns
        if inStandby {
            power = .off
            hostdReady = false
        }
    }
}

/// A simulated machine as it is now.
struct LabMachine: Sendable {
    let spec: LabMachineSpec
    var isOn = true
    /// Grows with each order and each loss of power, so that what was planned before is void.
    var generation = 0
}

/// One UPS.
struct LabUnit: Sendable {
    let name: FeedName
    var mainsOn = true
    var outputOn = true
    var outputCutAsked = false
    var outageBegan: Duration?
    /// How long the battery lasts, where a fault has shortened it.
    var battery: Duration?
}
