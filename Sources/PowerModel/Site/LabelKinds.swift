/// The kinds of labels by which guests are chosen. Reading them costs a vCenter time, so only those
/// are read that a site uses.
public struct LabelKinds: OptionSet, Hashable, Sendable {
    /// One bit a kind.
    public let rawValue: Int

    /// These bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Folders.
    public static let folders = LabelKinds(rawValue: 1)
    /// Resource pools.
    public static let resourcePools = LabelKinds(rawValue: 2)
    /// vSphere tags.
    public static let tags = LabelKinds(rawValue: 4)
    /// Custom attributes.
    public static let attributes = LabelKinds(rawValue: 8)
    /// All of them.
    public static let all: LabelKinds = [.folders, .resourcePools, .tags, .attributes]
}

extension GuestChoice {
    /// The labels that decide whether a guest fits.
    public var labelKinds: LabelKinds {
        var kinds: LabelKinds = []
        if !folders.isEmpty { kinds.insert(.folders) }
        if !resourcePools.isEmpty { kinds.insert(.resourcePools) }
        if !tags.isEmpty { kinds.insert(.tags) }
        if !attributes.isEmpty { kinds.insert(.attributes) }
        return kinds
    }
}

extension ClusterSite {
    /// The labels by which this cluster's guests are chosen, anywhere in the site file.
    public var labelKinds: LabelKinds {
        let choices =
            tiers.map(\.choice) + [infrastructure] + guestRules.map(\.choice)
            + guestRules.compactMap(\.after)
        return choices.reduce(into: []) { $0.formUnion($1.labelKinds) }
    }
}

extension Inventory {
    /// Takes over the labels of all guests that the other inventory knows: in an outage those of
    /// its snapshot hold, so that no guest changes its tier when, say, tags cannot be read now.
    /// Also who was found there, where that cannot be told now.
    public mutating func takeLabels(of other: Inventory) {
        found = found.filled(from: other.found)
        let labels = Dictionary(
            other.guests.map { ($0.id, $0.labels) }, uniquingKeysWith: { first, _ in first })
        guests = guests.map { guest in
            var guest = guest
            guest.labels = labels[guest.id] ?? guest.labels
            return guest
        }
    }
}
