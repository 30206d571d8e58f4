/// Who is who in a cluster: what the site file says, found in what vCenter shows.
public struct Roles: Hashable, Sendable {
    /// The guest that is the vCenter; nil where it is no guest of this cluster.
    public var vcsa: Guest?
    /// The guest in which vpower runs; nil where it runs outside of this cluster. It goes down with
    /// its host, which is the last, and is in no tier.
    public var controller: Guest?
    /// Guests others need to work at all, sorted by identity.
    public var infrastructure: [Guest]
    /// The other guests by tier, in the order in which tiers go down; each sorted by identity.
    public var tiers: [(tier: TierSite, guests: [Guest])]
    /// Guests that no tier names: they are in the default tier, and `check` reports them.
    public var unnamed: [GuestID]

    /// Compares what is in it.
    public static func == (left: Roles, right: Roles) -> Bool {
        left.vcsa == right.vcsa && left.controller == right.controller
            && left.infrastructure == right.infrastructure
            && left.tiers.map(\.tier) == right.tiers.map(\.tier)
            && left.tiers.map(\.guests) == right.tiers.map(\.guests)
    }

    /// Hashes what is compared.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(vcsa)
        hasher.combine(infrastructure)
    }

    /// Sorts the guests of an inventory into roles.
    /// - Throws: when the vCSA or the controller cannot be told, or one guest is both.
    public init(of inventory: Inventory, in site: ClusterSite) throws(PlanError) {
        try self.init(of: inventory, in: site, by: Roles.choices(of: site))
    }

    /// Infrastructure is asked first, then the tiers in their order: the first that fits has a
    /// guest.
    static func choices(of site: ClusterSite) -> GuestChoices {
        GuestChoices([site.infrastructure] + site.tiers.map(\.choice))
    }

    /// The same, by choices that were made ready before.
    init(
        of inventory: Inventory, in site: ClusterSite, by choices: GuestChoices
    ) throws(PlanError) {
        let guests = inventory.guests
        let candidates = guests.indices.filter { guests[$0].nature == .ordinary }
        if let wanted = try Roles.vcsa(inventory.found.vcsa, in: site) {
            vcsa = try Roles.find(
                wanted, key: "vcsa", among: candidates, of: guests, in: site.name)
        }
        if let wanted = try Roles.controller(inventory.found.controller, in: site) {
            controller = try Roles.find(
                wanted, key: "controller", among: candidates, of: guests, in: site.name)
        }
        if let vcsa, vcsa.id == controller?.id {
            throw PlanError(
                "cluster \(site.name): \(vcsa.name.onOneLine) is named as vCSA and as controller",
                try: "name the guest in which vpower runs as `controller`, and the one that is "
                    + "vCenter as `vcsa`")
        }
        infrastructure = []
        tiers = site.tiers.map { ($0, []) }
        unnamed = []
        let fallback = site.tiers.firstIndex { $0.name == site.defaultTier }
        for candidate in candidates
        where guests[candidate].id != vcsa?.id && guests[candidate].id != controller?.id {
            let place = choices.fitting(guests[candidate]).first
            if place == 0 {
                infrastructure.append(guests[candidate])
                continue
            }
            let named = place.map { $0 - 1 }
            if named == nil { unnamed.append(guests[candidate].id) }
            guard let index = named ?? fallback else {
                throw PlanError(
                    "cluster \(site.name): there is no tier \(site.defaultTier)",
                    try: "name one of its tiers under defaultTier")
            }
            tiers[index].guests.append(guests[candidate])
        }
    }

    /// The vCSA's name or identity: what the site file says, else what was found; nil where vCenter
    /// runs elsewhere.
    private static func vcsa(
        _ found: Finding?, in site: ClusterSite
    ) throws(PlanError) -> String? {
        guard site.vcsaGuest == nil, site.findsVCSA else { return site.vcsaGuest }
        if case .guest(let id) = found { return id.rawValue }
        var why = "nobody has looked for it"
        if case .unclear(let reason) = found { why = reason }
        throw PlanError(
            "cluster \(site.name): which guest is its vCSA cannot be told: \(why)",
            try: "set `vcsa` of the cluster to the guest's name or instanceUuid, or "
                + "`vcsaElsewhere: true` where it is no guest of the cluster")
    }

    /// The controller's name or identity, where it is one of the guests.
    private static func controller(
        _ found: Finding?, in site: ClusterSite
    ) throws(PlanError) -> String? {
        if let named = site.controllerGuest { return named }
        switch found {
        case _ where site.controllerElsewhere: return nil
        case nil: return nil
        case .guest(let id): return id.rawValue
        case .unclear(let why):
            throw PlanError(
                "cluster \(site.name): whether vpower runs in one of its guests cannot be told: "
                    + why,
                try: "set `controller` of the cluster to the guest's name or instanceUuid, or "
                    + "`controllerElsewhere: true` where it is no guest of the cluster")
        }
    }

    /// The guest in which vpower runs; nil where it is none of these, or cannot be told.
    static func controllerGuest(of inventory: Inventory, in site: ClusterSite) -> Guest? {
        let guests = inventory.guests
        let candidates = guests.indices.filter { guests[$0].nature == .ordinary }
        do {
            guard let wanted = try controller(inventory.found.controller, in: site) else {
                return nil
            }
            return try find(
                wanted, key: "controller", among: candidates, of: guests, in: site.name)
        } catch {
            // Who needs the roles is told why they cannot be told.
            return nil
        }
    }

    private static func find(
        _ wanted: String, key: String, among candidates: [Int], of guests: [Guest],
        in cluster: ClusterName
    ) throws(PlanError) -> Guest {
        // An identity decides: anybody may give a guest a name that looks like one.
        let identity = GuestID(wanted.lowercased())
        if let one = candidates.first(where: { guests[$0].id == identity }) { return guests[one] }
        let found = candidates.filter { guests[$0].name == wanted }.map { guests[$0] }
        if found.count == 1, let only = found.first { return only }
        if found.isEmpty {
            throw PlanError(
                "cluster \(cluster): no guest is named \(wanted.onOneLine)",
                try: "set `\(key)` of the cluster to the guest's name or instanceUuid")
        }
        let list = found.map { "\($0.name.onOneLine) (\($0.id))" }.joined(separator: ", ")
        throw PlanError(
            "cluster \(cluster): more than one guest is named \(wanted.onOneLine): \(list)",
            try: "set `\(key)` of the cluster to the instanceUuid of the right one")
    }
}

/// Why no plan can be made.
public struct PlanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public var summary: String
    /// What to do next.
    public var tryThis: String

    /// An error.
    public init(_ summary: String, try tryThis: String) {
        self.summary = summary
        self.tryThis = tryThis
    }

    /// What is wrong, on one line.
    public var description: String { summary }
}
