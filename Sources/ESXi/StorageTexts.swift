/// A volume that a host sees: `esxcli storage filesystem list`.
struct HostVolume: Hashable, Sendable {
    /// Empty on old releases for the boot banks, and where it is not mounted.
    var name: String
    var uuid: String
    var isMounted: Bool
    /// `VMFS-6`, `NFS`, `vfat`, `VMFSOS`.
    var type: String

    /// The volumes in an output; nil when it is none.
    static func list(_ output: String) -> [HostVolume]? {
        guard let records = EsxcliText.records(output) else { return nil }
        let volumes = records.compactMap { record -> HostVolume? in
            guard let uuid = record["UUID"], !uuid.isEmpty,
                let isMounted = record.truth("Mounted"), let type = record["Type"]
            else { return nil }
            return HostVolume(
                name: record["Volume Name"] ?? "", uuid: uuid, isMounted: isMounted, type: type)
        }
        return volumes.count == records.count ? volumes : nil
    }
}

/// An NFS datastore of a host: `esxcli storage nfs list`.
struct NFSMount: Hashable, Sendable {
    var name: String
    var server: String
    var share: String
    var isAccessible: Bool
    var isMounted: Bool

    /// The datastores in an output; nil when it is none.
    static func list(_ output: String) -> [NFSMount]? {
        guard let records = EsxcliText.records(output) else { return nil }
        let mounts = records.compactMap { record -> NFSMount? in
            guard let name = record["Volume Name"], !name.isEmpty,
                let isAccessible = record.truth("Accessible"),
                let isMounted = record.truth("Mounted")
            else { return nil }
            return NFSMount(
                name: name, server: record["Host"] ?? "", share: record["Share"] ?? "",
                isAccessible: isAccessible, isMounted: isMounted)
        }
        return mounts.count == records.count ? mounts : nil
    }
}

/// A datastore as hostd has it: `vim-cmd hostsvc/datastore/listsummary`.
struct DatastoreSummary: Hashable, Sendable {
    var name: String
    /// `/vmfs/volumes/UUID`.
    var url: String
    var isAccessible: Bool
    /// `VMFS` or `NFS`.
    var type: String

    /// The datastores in an output; nil when it is none.
    static func list(_ output: String) -> [DatastoreSummary]? {
        VimText.list(of: "vim.Datastore.Summary", in: output) { dump in
            guard let name = VimText.property("name", in: dump),
                let accessible = VimText.property("accessible", in: dump),
                ["true", "false"].contains(accessible)
            else { return nil }
            return DatastoreSummary(
                name: name, url: VimText.property("url", in: dump) ?? "",
                isAccessible: accessible == "true", type: VimText.property("type", in: dump) ?? "")
        }
    }
}
