import PowerModel

// Each function reads one section: every key of it is read before the first `guard` gives up, so
// that all problems are found.

extension SiteReader {
    /// The whole site; nil when something it needs is missing, which is reported.
    func site(_ node: YAMLNode) -> Site? {
        guard
            let map = SiteMap(
                node, "the site file", keys: ["site", "feeds", "clusters", "machines"], self)
        else { return nil }
        let name = map.required("site", .name("the site's name, for messages"))
        let feeds = feeds(map)
        let clusters = clusters(map)
        let machines = machines(map)
        guard let name, let feeds, let clusters else { return nil }
        return Site(name: name, feeds: feeds, clusters: clusters, machines: machines)
    }
}
