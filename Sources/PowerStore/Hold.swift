public import PowerModel
public import PowerRun

/// "Watch and announce, do not act", until a stated time.
public struct Hold: Hashable, Codable, Sendable {
    /// The cluster it holds for; nil for the whole site.
    public var cluster: ClusterName?
    /// Until when, by the wall clock.
    public var until: Timestamp
    /// Why, in the words of whoever placed it.
    public var reason: String

    /// The longest a hold may last: one that is forgotten must not cost a night without protection
    /// and the next one too.
    public static let longest: Duration = .seconds(24 * 3600)

    /// A hold.
    public init(cluster: ClusterName?, until: Timestamp, reason: String) {
        self.cluster = cluster
        self.until = until
        self.reason = reason
    }

    /// Whether it holds at this moment. One that ends later than any hold may is void: the clock
    /// was set back since.
    public func isOn(at wall: Timestamp) -> Bool {
        wall < until && until - wall <= Self.longest
    }

    /// Whether it holds for this cluster.
    public func holds(_ name: ClusterName) -> Bool { cluster == nil || cluster == name }
}

/// The holds of a site, in its state directory.
public struct HoldBook: Sendable {
    /// What is there.
    public struct Page: Sendable {
        /// Those that hold now: the site's first, then the clusters' in the order asked for.
        public var holds: [Hold] = []
        /// Files that count as no hold: why.
        public var problems: [String] = []

        /// A page with these holds.
        public init(holds: [Hold] = []) { self.holds = holds }

        /// The hold for a cluster, if there is one: the one that ends last.
        public func hold(for cluster: ClusterName) -> Hold? {
            holds.filter { $0.holds(cluster) }.max { $0.until < $1.until }
        }
    }

    private let directory: String

    /// The holds in this state directory.
    public init(directory: String) { self.directory = directory }

    /// Places a hold, in place of one that is there for the same cluster or site.
    public func place(_ hold: Hold) throws(JournalError) {
        try StateFile.write(hold, to: path(hold.cluster))
    }

    /// Takes a hold away; success also when there was none.
    public func clear(_ cluster: ClusterName?) throws(JournalError) {
        try StateFile.remove(path(cluster))
    }

    /// The holds of the site and of these clusters. Never fails: what cannot be read or is void
    /// is no hold, and a problem.
    public func read(_ clusters: [ClusterName], at wall: Timestamp) -> Page {
        var page = Page()
        for cluster in [nil] + clusters.map(Optional.some) {
            do {
                guard let hold: Hold = try StateFile.read(path(cluster)), hold.cluster == cluster
                else { continue }
                if hold.isOn(at: wall) {
                    page.holds.append(hold)
                } else if wall < hold.until {
                    page.problems.append(
                        "\(path(cluster)): it ends later than a hold may, so the clock was set"
                            + " back: it counts as no hold; place it again")
                }
            } catch {
                page.problems.append("\(error.path): \(error.detail): it counts as no hold")
            }
        }
        return page
    }

    private func path(_ cluster: ClusterName?) -> String {
        "\(directory)/\(cluster.map { StateFile.name(for: $0, "hold") } ?? "hold")"
    }
}

/// Bounds each hold by monotonic time since it was first seen, so that a wall clock that is set
/// back while it lasts does not make it longer.
public struct HoldWatch: Sendable {
    private var ends: [Hold: Duration] = [:]

    /// Nothing was seen yet.
    public init() {}

    /// Those of these holds that last still.
    /// - Parameter now: monotonic time; never goes back.
    public mutating func stillOn(
        _ holds: [Hold], wall: Timestamp, at now: Duration
    ) -> [Hold] {
        ends = ends.filter { holds.contains($0.key) }
        return holds.filter { hold in
            let end = ends[hold] ?? now + (hold.until - wall)
            ends[hold] = end
            return now < end
        }
    }
}
