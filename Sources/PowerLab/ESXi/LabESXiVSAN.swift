import PowerModel

/// vSAN's commands of a simulated host: texts as the vendor's own documents and scripts have them
/// (facts/esxi.md section 7). How the helper says no is not known.
extension LabESXiCommands {
    private static let option = "/VSAN/IgnoreClusterMemberListUpdates"
    private static let helper = "/usr/lib/vmware/vsan/bin/reboot_helper.py"

    /// `esxcfg-advcfg -g OPTION` and `-s VALUE OPTION`.
    func advancedSetting(_ words: [String]) async -> Reply {
        switch (words.first, words.last == Self.option, words.count) {
        case ("-g", true, 2): break
        case ("-s", true, 3) where ["0", "1"].contains(words[1]):
            await backend.keepVSANMembers(host, words[1] == "1")
        default:
            return Reply(errors: "Invalid Option \(words.last ?? "")\n", status: 1)
        }
        let value = await backend.keepsVSANMembers(host) ? 1 : 0
        return Reply(output: "Value of IgnoreClusterMemberListUpdates is \(value)\n")
    }

    /// `python …/reboot_helper.py prepare|recover`.
    func python(_ words: [String]) async -> Reply {
        guard words.count == 2, words[0] == Self.helper, let verb = LabVSANVerb(rawValue: words[1])
        else {
            return Reply(errors: "python: can't open file '\(words.first ?? "")'\n", status: 2)
        }
        if let why = await backend.helpVSAN(host, verb) {
            return Reply(output: "Time: \(verb.rawValue) failed\n\(why)\n", status: 1)
        }
        return Reply(
            output: verb == .prepare
                ? "Cluster preparation is done.\n"
                : "Cluster reboot/poweron is completed successfully!\n")
    }

    /// `esxcli vsan cluster get`; nil where there is no vSAN.
    func vsanCluster() async -> LabEsxcliPage? {
        guard let seen = await backend.vsanMembership(host) else { return nil }
        return LabEsxcliPage([
            "Enabled": .truth(true), "Local Node Type": .text("NORMAL"),
            "Local Node State": .text("MASTER"),
            "Local Node Health State": .text(seen.isHealthy ? "HEALTHY" : "UNHEALTHY"),
            "Sub-Cluster Membership Entry Revision": .number(17),
            "Sub-Cluster Member Count": .number(seen.members),
        ])
    }
}
