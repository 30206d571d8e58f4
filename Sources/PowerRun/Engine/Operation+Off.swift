public import PowerModel

/// What must be known before anybody cuts the output.
extension Operation {
    /// What of the cluster is not proven off, each thing in words; empty when the output may be
    /// cut.
    ///
    /// A host is off when it is silent and its management controller says so. Where it has none
    /// that tells, a host or machine is off when it was told to stop and seen down in this outage,
    /// and is silent now: one that came back since, or that a run gave up on, is not. So is one
    /// that DPM had put to sleep before, by vCenter's own word, while it is silent. What else
    /// a run left undone, a hook say, has no part in it. Where the witness is silent too, silence
    /// proves nothing: unless machines went down, which may have taken it with them. A machine that
    /// took it that it is to go by itself counts as off until its time is over: see
    /// `outputIsNeeded`.
    /// - Parameter feed: only what hangs on this feed is meant; nil is all of it.
    public func notOff(on feed: FeedName? = nil) async throws(OperationError) -> [String] {
        func isMeant(_ feeds: [FeedName]) -> Bool { feed.map(feeds.contains) ?? true }
        let ledger = try await ledger()
        let machinesDown = ledger.machinesSeenDown
        let departures = ledger.departures.filter(\.value.isCertain)
        let now = around.time.wall
        let mayHaveGone = departures.contains { now >= $0.value.goesAt }
        let hosts = around.site.hosts.filter { isMeant($0.feeds) }.map(\.name).sorted()
        async let offByBMC = around.areOff(hosts)
        let silence = await around.askHosts { await $0.isSilent() }
        let isOff = await offByBMC
        var notOff: [String] = []
        if let witness = around.site.witness, machinesDown.isEmpty, !mayHaveGone,
            !hosts.allSatisfy({ isOff[$0] == true }), await !around.answers(witness)
        {
            notOff.append("the witness \(witness) is silent, so that silence proves nothing")
        }
        for name in hosts {
            let isSilent = silence[name] == true
            if isSilent, isOff[name] == true { continue }
            if isSilent, ledger.snapshot?.inventory.host(name)?.inStandby == true { continue }
            if ledger.hostsLeft.contains(name) {
                // It goes by itself: see `outputIsNeeded`.
                if !isSilent, await !isLeaving(name) {
                    notOff.append("host \(name) answers, and is not about to go")
                }
            } else if isSilent, isOff[name] == false {
                notOff.append("host \(name) is on, as its BMC says")
            } else if !ledger.hostsSeenDown.contains(name) {
                notOff.append("host \(name) was not seen down")
            } else if !isSilent {
                notOff.append("host \(name) answers")
            }
        }
        for name in planner.machines.filter({ isMeant($0.feeds) }).map(\.name).sorted() {
            if let going = departures[name] {
                if now >= going.goneBy, await around.machines[name]?.isSilent() != true {
                    notOff.append("machine \(name) answers, and has not gone as it was told")
                }
            } else if !machinesDown.contains(name) {
                notOff.append("machine \(name) was not seen down")
            } else if await around.machines[name]?.isSilent() != true {
                notOff.append("machine \(name) answers")
            }
        }
        return notOff
    }

    /// Whether a host that vpower itself runs on is about to go, as it was told.
    public func isLeaving() async throws(OperationError) -> Bool {
        for host in try await ledger().hostsLeft.sorted() where await isLeaving(host) {
            return true
        }
        return false
    }

    /// What cannot be asked is not taken for about to go.
    private func isLeaving(_ host: HostName) async -> Bool {
        do { return try await around.hosts[host]?.isLeaving() == true } catch { return false }
    }

    /// What needs an output longest after it is told to go: the host that vpower itself runs on,
    /// or a machine that was told too. Both go by themselves.
    public func outputIsNeeded(
        on feed: FeedName? = nil
    ) async throws(OperationError) -> OutputNeed {
        func isMeant(_ feeds: [FeedName]) -> Bool { feed.map(feeds.contains) ?? true }
        let ledger = try await ledger()
        var need = OutputNeed.nothing
        let left = ledger.hostsLeft
        if around.site.hosts.contains(where: { left.contains($0.name) && isMeant($0.feeds) }) {
            need = .ownHost(around.site.limits.leave)
        }
        let departures = ledger.departures
        for machine in planner.machines where isMeant(machine.feeds) {
            guard let going = departures[machine.name], going.isCertain else { continue }
            need = max(need, .machine(machine.name, goneWithin: going.goneWithin))
        }
        return need
    }
}
