/// What holds for one guest: its tier's terms, where no rule says otherwise.
public struct GuestTerms: Hashable, Sendable {
    /// How long it may take to shut down.
    public var limit: Duration
    /// What is done when it takes longer, or has no Tools.
    public var onLimit: Escalation
    /// Whether a restore leaves it off.
    public var keepOff: Bool
    /// How long after it was started the next ones wait.
    public var startDelay: Duration
    /// Whether it counts as started only when its Tools answer.
    public var waitForTools: Bool

    /// What a tier says of its guests.
    public init(_ tier: TierSite) {
        limit = tier.limit
        onLimit = tier.onLimit
        keepOff = tier.keepOff
        startDelay = tier.startDelay
        waitForTools = tier.waitForTools
    }

    /// What holds for vCSA and infrastructure guests: they are never powered off hard.
    public init(throughHostWithin limit: Duration) {
        self.limit = limit
        onLimit = .leave
        keepOff = false
        startDelay = .zero
        waitForTools = false
    }
}

/// Guests that go down together, with what holds for each and who waits for whom.
struct GuestGroup: Sendable {
    /// One guest.
    struct Member: Sendable {
        var guest: Guest
        var terms: GuestTerms
        /// The members that are off before it is asked, and on after it when they come up.
        var after: [GuestID]
    }

    /// In an order in which each comes after those it waits for; else by identity.
    var members: [Member]
    /// Guests whose rule names, after which they are to go down, some that only go down later.
    var unmet: [(guest: Guest, after: Guest)]

    /// The members in an order in which they can come up: those that went down last first, and
    /// with each those that come up before it.
    var upwards: [(member: Member, before: [GuestID])] {
        var before: [GuestID: [GuestID]] = [:]
        for member in members {
            for id in member.after { before[id, default: []].append(member.guest.id) }
        }
        if before.isEmpty { return members.map { ($0, []) } }
        let byID = Dictionary(
            members.map { ($0.guest.id, $0) }, uniquingKeysWith: { first, _ in first })
        return Levels(of: members.map(\.guest.id).sorted(), needs: before).sorted
            .compactMap { id in byID[id].map { ($0, before[id] ?? []) } }
    }
}

/// A site's rules for single guests, made ready to be asked of many.
struct GuestRules: Sendable {
    /// More dependencies than this inside one tier are refused: each is looked at in the run.
    static let dependenciesMax = 100_000
    /// So many guests of a circle are named.
    private static let namesMax = 10

    private let cluster: ClusterName
    private let rules: [GuestRule]
    private let fits: GuestChoices
    private let after: GuestChoices

    init(of site: ClusterSite) {
        cluster = site.name
        rules = site.guestRules
        fits = GuestChoices(rules.map(\.choice))
        after = GuestChoices(rules.map { $0.after ?? [] })
    }

    /// Guests that go down later than others, by the rules whose `after` they fit: one for each.
    struct Later {
        fileprivate var guests: [Int: Guest] = [:]
    }

    /// Notes that these guests go down after all that are grouped from now on.
    func note(_ guests: [Guest], in later: inout Later) {
        if rules.isEmpty { return }
        for guest in guests {
            for place in after.fitting(guest) { later.guests[place] = guest }
        }
    }

    /// The guests of a tier with what holds for each.
    func group(
        _ guests: [Guest], terms: GuestTerms, later: Later
    ) throws(PlanError) -> GuestGroup {
        var members = guests.map { GuestGroup.Member(guest: $0, terms: terms, after: []) }
        if rules.isEmpty { return GuestGroup(members: members, unmet: []) }
        var targets: [Int: [GuestID]] = [:]
        for guest in guests {
            for place in after.fitting(guest) { targets[place, default: []].append(guest.id) }
        }
        var unmet: [(guest: Guest, after: Guest)] = []
        var count = 0
        for index in members.indices {
            let guest = guests[index]
            let fitting = fits.fitting(guest)
            for place in fitting.reversed() { members[index].terms.follow(rules[place]) }
            guard let place = fitting.first(where: { rules[$0].after != nil }) else { continue }
            members[index].after = (targets[place] ?? []).filter { $0 != guest.id }
            if let other = later.guests[place] { unmet.append((guest, other)) }
            count += members[index].after.count
            try check(count)
        }
        return GuestGroup(
            members: count > 0 ? try ordered(members) : members, unmet: unmet)
    }

    /// What the rules name and none of these guests is: mostly a slip of the pen.
    func unmatched(among guests: [Guest]) -> [GuestChoice] {
        if rules.isEmpty { return [] }
        let fitting = Set(guests.flatMap(fits.fitting))
        let fittingAfter = Set(guests.flatMap(after.fitting))
        return rules.enumerated().flatMap { place, rule -> [GuestChoice] in
            if !fitting.contains(place) { return [rule.choice] }
            guard let after = rule.after, !fittingAfter.contains(place) else { return [] }
            return [after]
        }
    }

    private func ordered(
        _ members: [GuestGroup.Member]
    ) throws(PlanError) -> [GuestGroup.Member] {
        let byID = Dictionary(
            members.map { ($0.guest.id, $0) }, uniquingKeysWith: { first, _ in first })
        let levels = Levels(of: members.map(\.guest.id), needs: byID.mapValues(\.after))
        if !levels.circle.isEmpty { throw circle(levels.circle, byID) }
        return levels.sorted.compactMap { byID[$0] }
    }

    private func check(_ dependencies: Int) throws(PlanError) {
        if dependencies <= Self.dependenciesMax { return }
        throw PlanError(
            "cluster \(cluster): the rules under `guests` make more than "
                + "\(Self.dependenciesMax) dependencies inside one tier",
            try: "make two tiers of it: a tier goes down when the one before it is down")
    }

    private func circle(
        _ ids: [GuestID], _ members: [GuestID: GuestGroup.Member]
    ) -> PlanError {
        let shown =
            ids.count < Self.namesMax ? ids + ids.prefix(1) : Array(ids.prefix(Self.namesMax))
        let names = shown.map { members[$0]?.guest.name.onOneLine ?? "\($0)" }
        return PlanError(
            "cluster \(cluster): these guests wait for one another: "
                + names.joined(separator: " after "),
            try: "take one `after` out of the rules under `guests`")
    }
}

extension GuestTerms {
    /// Takes over what a rule says.
    fileprivate mutating func follow(_ rule: GuestRule) {
        limit = rule.limit ?? limit
        onLimit = rule.onLimit ?? onLimit
        keepOff = rule.keepOff ?? keepOff
        startDelay = rule.startDelay ?? startDelay
        waitForTools = rule.waitForTools ?? waitForTools
    }
}

/// Things in an order in which each comes after all it needs; where that leaves a choice, in the
/// order in which they were given.
struct Levels<ID: Hashable> {
    private(set) var sorted: [ID] = []
    /// Some that need one another in a circle, each the one after it; empty when none do.
    private(set) var circle: [ID] = []

    init(of ids: [ID], needs: [ID: [ID]]) {
        var open: [ID: Int] = [:]
        var neededBy: [ID: [ID]] = [:]
        for id in ids {
            open[id] = needs[id]?.count ?? 0
            for need in needs[id] ?? [] { neededBy[need, default: []].append(id) }
        }
        let places = Dictionary(
            zip(ids, ids.indices), uniquingKeysWith: { first, _ in first })
        var ready = ids.filter { open[$0] == 0 }
        while !ready.isEmpty {
            sorted += ready
            var next: [ID] = []
            for id in ready {
                for waiting in neededBy[id] ?? [] {
                    open[waiting, default: 0] -= 1
                    if open[waiting] == 0 { next.append(waiting) }
                }
            }
            ready = next.sorted { (places[$0] ?? 0) < (places[$1] ?? 0) }
        }
        circle = Self.circle(ids.first { open[$0] ?? 0 > 0 }, needs) { open[$0] ?? 0 > 0 }
    }

    /// Follows what is stuck from one to the next until one comes again.
    private static func circle(
        _ start: ID?, _ needs: [ID: [ID]], isStuck: (ID) -> Bool
    ) -> [ID] {
        var path: [ID] = []
        var places: [ID: Int] = [:]
        var next = start
        while let id = next {
            if let first = places[id] { return Array(path[first...]) }
            places[id] = path.count
            path.append(id)
            next = needs[id]?.first(where: isStuck)
        }
        return []
    }
}
