import PowerModel

/// The key `extras` of a cluster or a host: what boot scripts bring back at every boot.
extension SiteReader {
    private static let extraKeys = ["run", "limit", "file", "content"]

    func extras(_ owner: SiteMap) -> [BootExtra] {
        (owner.list("extras", of: "lines and files, e.g. {run: esxcli network firewall refresh}")
            ?? []).compactMap(extra)
    }

    private func extra(_ node: YAMLNode) -> BootExtra? {
        guard let map = SiteMap(node, "the extra", keys: Self.extraKeys, self) else { return nil }
        let line = map.value("run", .command)
        let path = map.value("file", .path)
        let content = map.value("content", .fileContent)
        let limit = map.value("limit", .duration(atLeast: .seconds(1)))
        guard (map["run"] == nil) != (map["file"] == nil) else {
            report(node, "the extra needs one of `run`, a line, and `file`, with its `content`")
            return nil
        }
        if map["file"] != nil, map["content"] == nil {
            map.missing("content", SiteValue.fileContent.expected)
        }
        for key in map["run"] == nil ? ["limit"] : ["content"] {
            if let node = map[key] {
                report(node, "`\(key)` without `\(key == "limit" ? "run" : "file")`")
            }
        }
        if let line { return BootExtra(.line(line), limit: limit ?? BootExtra.limitDefault) }
        guard let path, let content else { return nil }
        return BootExtra(.file(path: path, content: content))
    }

    /// A host's boot script holds its own extras and the cluster's.
    func checkSize(of cluster: ClusterSite, _ map: SiteMap) {
        let common = cluster.extras.map(\.sizeBytes).reduce(0, +)
        let most = cluster.hosts.map { $0.extras.map(\.sizeBytes).reduce(0, +) }.max() ?? 0
        let limit = BootExtra.sizeLimitBytes
        if common + most > limit {
            report(
                map["extras"] ?? map.node,
                "`extras` hold \(common + most) bytes for one host; its boot script can carry "
                    + "\(limit)")
        }
    }
}
