/// How a guest goes down that is on although its place in the order is over.
public struct LateStop: Hashable, Sendable {
    /// The guest.
    public var guest: Guest
    /// Its place in the order in which guests go down.
    public var place: Int
    /// How long it may take.
    public var limit: Duration
    /// What is done when it takes longer, or has no Tools; nil for vCSA and infrastructure, which
    /// are never powered off hard.
    public var onLimit: Escalation?
}

/// Guests that no plan could foresee: a boot script, HA or a person starts them while it is
/// carried out.
extension Planner {
    /// How each ordinary guest of an inventory goes down, on or off, by configuration file.
    /// - Parameter leaving: whether policy may leave one on.
    public func lateStops(
        of inventory: Inventory, leaving: Bool = true
    ) throws(PlanError) -> [String: LateStop] {
        var groups = try groups(of: inventory)
        if !leaving { groups = groups.leavingNoneOn }
        var stops: [String: LateStop] = [:]
        for (place, (_, group)) in groups.tiers.enumerated() {
            for member in group.members {
                stops[member.guest.vmxPath] = LateStop(
                    guest: member.guest, place: place, limit: member.terms.limit,
                    onLimit: member.terms.onLimit)
            }
        }
        let vcsaPlace = groups.tiers.count
        if let vcsa = groups.vcsa {
            stops[vcsa.vmxPath] = LateStop(
                guest: vcsa, place: vcsaPlace, limit: site.limits.vcsa, onLimit: nil)
        }
        for member in groups.infrastructure.members {
            stops[member.guest.vmxPath] = LateStop(
                guest: member.guest, place: vcsaPlace + 1, limit: member.terms.limit, onLimit: nil)
        }
        return stops
    }
}
