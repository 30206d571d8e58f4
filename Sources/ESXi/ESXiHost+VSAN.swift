public import PowerModel
public import PowerRun

/// vSAN by the host's shell: what the vendor's own scripts do before 7.0U3, and where vCenter is
/// gone (facts/esxi.md section 7). None of it was ever run on a real cluster: neither how the
/// helper says no, nor what it makes of being asked twice, is known.
extension ESXiHost {
    private static let option = "/VSAN/IgnoreClusterMemberListUpdates"
    private static let helper = "/usr/lib/vmware/vsan/bin/reboot_helper.py"

    /// Whether the host keeps its list of members.
    public func keepsVSANMembers() async throws(HostError) -> Bool {
        let attempting = "read vSAN's settings"
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("said"))
            esxcfg-advcfg -g \(Self.option) 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        return try keeps(sections, attempting)
    }

    /// Has the host keep that list, or go by what it sees again; reads it back.
    public func keepVSANMembers(_ on: Bool) async throws(HostError) {
        let attempting = "have vSAN \(on ? "keep" : "update") its list of members"
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            set=$(esxcfg-advcfg -s \(on ? 1 : 0) \(Self.option) 2>&1)
            \(nonce.begin("said"))
            esxcfg-advcfg -g \(Self.option) 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        guard try keeps(sections, attempting) == on else {
            throw error(.notAsWritten, attempting, "it is not so when it is read back")
        }
    }

    private func keeps(_ sections: Sections, _ attempting: String) throws(HostError) -> Bool {
        let said = sections.text("said") ?? ""
        if let value = VSANText.value(said) { return value == 1 }
        throw error(
            VimText.saysNotReady(said) ? .notReady : .badAnswer, attempting, Self.shortened(said))
    }

    /// Prepares the whole cluster.
    public func prepareVSAN(within limit: Duration) async throws(HostError) {
        try await help("prepare", VSANText.isPrepared, "prepare vSAN", within: limit)
    }

    /// Recovers the whole cluster.
    public func recoverVSAN(within limit: Duration) async throws(HostError) {
        try await help("recover", VSANText.isRecovered, "recover vSAN", within: limit)
    }

    /// Runs the helper, unless it is at work already: an earlier try that was not waited for. Two
    /// at
    /// the same time are a race. `mkdir` tells which of two is first; a helper that is gone has no
    /// claim any more.
    private func help(
        _ verb: String, _ isDone: (String) -> Bool, _ attempting: String, within limit: Duration
    ) async throws(HostError) {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            claim=/tmp/vpower-vsan
            owner=$(cat $claim/pid 2>/dev/null)
            if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf $claim; fi
            if mkdir $claim 2>/dev/null; then
                python \(Self.helper) \(verb) </dev/null >$claim/said 2>&1 &
                echo $! >$claim/pid
                wait $!
                \(nonce.begin("said"))
                cat $claim/said
                rm -rf $claim
            fi
            """, nonce, attempting: attempting, limit: limit + limits.command)
        guard let said = sections.text("said") else {
            throw error(.refused, attempting, "an earlier try is still at work on the host")
        }
        guard isDone(said) else { throw error(.refused, attempting, Self.shortened(said)) }
    }

    /// What the host sees of its cluster.
    public func vsanMembership() async throws(HostError) -> VSANMembership {
        let attempting = "read vSAN's members"
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(EsxcliText.ask)
            \(nonce.begin("said"))
            vpower_esxcli vsan cluster get
            """, nonce, attempting: attempting, limit: limits.command)
        let said = sections.text("said") ?? ""
        if let membership = VSANText.membership(said) { return membership }
        if EsxcliText.isUnknownCommand(said) {
            throw error(.refused, attempting, "it has no vSAN")
        }
        throw error(
            VimText.saysNotReady(said) ? .notReady : .badAnswer, attempting, Self.shortened(said))
    }
}

/// What vSAN's commands say.
enum VSANText {
    /// `Value of IgnoreClusterMemberListUpdates is 1`.
    static func value(_ output: String) -> Int? {
        let start = "Value of IgnoreClusterMemberListUpdates is "
        let values = VimText.lines(of: output).filter { $0.hasPrefix(start) }
        guard values.count == 1 else { return nil }
        switch values.first?.dropFirst(start.count) {
        case "0": return 0
        case "1": return 1
        default: return nil
        }
    }

    /// Whether the helper says that the cluster is prepared.
    static func isPrepared(_ output: String) -> Bool {
        VimText.lines(of: output).contains { $0.contains("Cluster preparation is done") }
    }

    /// Whether it says that the cluster is recovered: 9.0 in other words than before.
    static func isRecovered(_ output: String) -> Bool {
        VimText.lines(of: output).contains { line in
            line.contains("Cluster reboot/poweron is completed successfully!")
                || line.contains("Cluster reboot/power-on is completed successfully!")
        }
    }

    /// `esxcli vsan cluster get`; nil where it does not say both.
    static func membership(_ output: String) -> VSANMembership? {
        guard let record = EsxcliText.record(output),
            let health = record["Local Node Health State"],
            let count = record.number("Sub-Cluster Member Count") ?? record.number("Member Count"),
            count >= 0
        else { return nil }
        return VSANMembership(members: count, isHealthy: health == "HEALTHY")
    }
}
