/// The limits of waits on a vCenter.
public struct VCenterLimits: Hashable, Sendable {
    /// A vCenter under load answers simple calls in a second or two.
    public static let callDefault: Duration = .seconds(30)
    /// Thousands of guests take vCenter some seconds, a page at a time.
    public static let readDefault: Duration = .seconds(60)
    /// vCenter asks SSO, which may ask a directory that has just gone down.
    public static let loginDefault: Duration = .seconds(60)
    /// Cutting power takes a host a second; where it hangs the guest's process is ended, within the
    /// time that the engine waits for it all (`EnginePace.forcedOff`).
    public static let powerOffDefault: Duration = .seconds(20)
    /// A process that was ended is gone in a second or two.
    public static let terminateDefault: Duration = .seconds(10)
    /// Placement, swap files and a busy datastore after a cold start.
    public static let powerOnDefault: Duration = .seconds(120)
    /// vCenter accepts a cluster's change at once; the agents follow later.
    public static let changeDefault: Duration = .seconds(60)
    /// How long one WaitForUpdatesEx may hang: a dead vCenter is noticed this much later.
    public static let longPollDefault: Duration = .seconds(20)
    /// Tags are a request per 500 guests and one per tag; without them a snapshot is complete too,
    /// so an outage waits no longer for them.
    public static let tagsDefault: Duration = .seconds(20)
    /// What the answer to a long poll may be late.
    public static let longPollGrace: Duration = .seconds(10)

    /// A call that does one thing.
    public var call = VCenterLimits.callDefault
    /// One page of an inventory.
    public var read = VCenterLimits.readDefault
    /// A login.
    public var login = VCenterLimits.loginDefault
    /// Until a guest's power is cut.
    public var powerOff = VCenterLimits.powerOffDefault
    /// Until a guest whose process was ended is seen off.
    public var terminate = VCenterLimits.terminateDefault
    /// Until a guest is on.
    public var powerOn = VCenterLimits.powerOnDefault
    /// Until a change of HA, DRS or DPM is accepted.
    public var change = VCenterLimits.changeDefault
    /// The longest one WaitForUpdatesEx; whole seconds, 1 or more.
    public var longPoll = VCenterLimits.longPollDefault
    /// Until all tags are read.
    public var tags = VCenterLimits.tagsDefault
    /// Until TCP and TLS are up.
    public var connect: Duration = .seconds(10)
    /// Objects in one page.
    public var pageObjects = 500

    /// The defaults.
    public init() {}
}
