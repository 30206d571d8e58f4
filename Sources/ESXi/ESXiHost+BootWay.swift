public import PowerModel
public import PowerRun

/// How guests come up with their host, where that is no boot script.
extension ESXiHost {
    private static let overAPIOnly =
        "over SSH it cannot be read well enough to be put back; give the host an `api` in the "
        + "site file"

    /// What the host starts and stops by itself: over its own SOAP endpoint only.
    ///
    /// vim-cmd has verbs for it, but no capture of what they print is known, and a switch-off that
    /// does not hold is reported (facts/esxi.md 1.5, 10).
    public func autostart() async throws(HostError) -> HostAutostart {
        throw error(.wayUnusable, "read the autostart settings", Self.overAPIOnly)
    }

    /// Makes the host start and stop by itself exactly this: over its own SOAP endpoint only.
    public func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        throw error(.wayUnusable, "write the autostart settings", Self.overAPIOnly)
    }
}
