/// How much of a cluster a shutdown takes down.
public enum PlanScope: Hashable, Codable, Sendable {
    /// All of it. `dependents` are the clusters that need this one and go down in the same outage:
    /// vCSA and infrastructure stay until they are down.
    case cluster(dependents: [ClusterName])
    /// Some tiers only; HA stays on.
    case tiers([TierName])
    /// Some hosts with what is on them; HA stays on.
    case hosts([HostName])

    /// The whole cluster, and no other waits for it.
    public static var wholeCluster: PlanScope { .cluster(dependents: []) }
}
