import PowerModel
import PowerRun

/// What never changes of something that is copied at every look.
private final class Fixed<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// A simulated guest as it is now.
struct LabGuest {
    private let fixed: Fixed<LabGuestSpec>
    var vmid: Int
    var host: HostName
    var power: GuestPower
    var toolsRunning: Bool
    var exists = true
    var stopping = false
    /// HA restarts only what did not stop cleanly.
    var stoppedCleanly = true

    var spec: LabGuestSpec { fixed.value }

    /// It is not on any more.
    mutating func stop(_ power: GuestPower, cleanly: Bool) {
        self.power = power
        toolsRunning = false
        stopping = false
        stoppedCleanly = cleanly
    }

    init(spec: LabGuestSpec, vmid: Int) {
        fixed = Fixed(spec)
        self.vmid = vmid
        host = spec.host
        power = spec.isOn ? .on : .off
        toolsRunning = spec.isOn && spec.hasTools
    }
}

/// A simulated host as it is now.
struct LabHost {
    enum Power { case on, stopping, off, booting }
    private let fixed: Fixed<LabHostSpec>
    var power: Power = .on
    var hostdReady = true
    var hostdUpAt: Duration = .zero
    var highestVMID = 0
    var stoppedCleanly = false
    /// Guests its boot script could not start.
    var bootFailed: [String] = []
    var inMaintenance = false
    /// Grows with each boot, so that what an earlier boot had planned is void.
    var generation = 0
    /// The boot script in memory mode: what is saved survives a boot.
    var orders: BootOrders?
    var bootReport: (run: RunID, report: BootReport)?

    var spec: LabHostSpec { fixed.value }

    /// It is off.
    mutating func stop(orderly: Bool) {
        power = .off
        hostdReady = false
        generation += 1
        bootReport = nil
        stoppedCleanly = orderly
    }

    init(spec: LabHostSpec) { fixed = Fixed(spec) }
}

/// One UPS.
struct LabUnit {
    var mainsOn = true
    var outputOn = true
    var outputCutAsked = false
    var outageBegan: Duration?
    /// How long the battery lasts, where a fault has shortened it.
    var battery: Duration?
}
