import ESXi
import PowerModel
import PowerRun
import VSphere

/// What `check` looks at on hosts.
extension CheckCommand {
    /// Logs in over each way that the site file gives; a host that refuses the first login is not
    /// asked for a second.
    func check(
        _ host: HostSite, of cluster: ClusterSite, _ boot: BootChoice?,
        _ context: SiteContext, _ sheet: inout CheckSheet
    ) async {
        let what = "host \(host.name)"
        do {
            let adapters = try context.makeHost(host, of: cluster)
            let canLogIn = await checkSSH(of: host, in: cluster, context, &sheet)
            var survey: HostSurvey?
            var wasRefused = false
            do throws(HostError) {
                if canLogIn { survey = try await look(adapters.ssh, what, &sheet) }
            } catch {
                sheet.bad(what, "\(error)")
                wasRefused = error.reason == .loginRefused
            }
            if let soap = adapters.soap {
                if wasRefused {
                    sheet.note(what, "SOAP was not tried: refused logins lock the account")
                } else {
                    await check(soap, of: cluster, host, what, &sheet)
                }
                sheet.good(
                    what,
                    "asked over \(host.control.name), and over \(host.control.other.name) where "
                        + "that fails; the boot script goes over SSH")
            }
            checkBoot(boot, survey, what, &sheet)
            await checkBMC(of: host, answers: survey != nil, context, what, &sheet)
            await adapters.control.close()
        } catch { sheet.bad(what, "\(error)") }
    }

    /// What its management controller says, as a shutdown will ask it.
    private func checkBMC(
        of host: HostSite, answers: Bool, _ context: SiteContext, _ what: String,
        _ sheet: inout CheckSheet
    ) async {
        do {
            guard let bmc = try context.makeBMC(host) else { return }
            switch (try await bmc.isOff(), answers) {
            case (false, _): sheet.good(what, "its BMC says that it is on")
            case (true, false): sheet.note(what, "its BMC says that it is off")
            case (true, true):
                sheet.bad(what, "it answers, but its BMC says that it is off: is it another's?")
            }
        } catch { sheet.bad(what, "\(error)") }
    }

    /// How it will be told that a host is down.
    func checkProof(of cluster: ClusterSite, _ sheet: inout CheckSheet) {
        let unproven = cluster.hosts.filter { $0.bmc == nil }
        guard cluster.witness == nil, !unproven.isEmpty else { return }
        sheet.note(
            "cluster \(cluster.name)",
            "\(unproven.count.counted("host")) will count as down when silent, cut off or not: "
                + "name a `witness` behind their switch, or each one's `bmc`")
    }

    /// What the host says over SSH.
    private func look(
        _ ssh: ESXiHost, _ what: String, _ sheet: inout CheckSheet
    ) async throws(HostError) -> HostSurvey {
        let isMaintained = try await ssh.inMaintenance()
        let guests = try await ssh.guests()
        sheet.good(what, "SSH, hostd and \(guests.count.counted("guest"))")
        if isMaintained { sheet.note(what, "it is in maintenance mode") }
        let survey = try await ssh.survey()
        sheet.good(what, survey.summary)
        for problem in survey.problems { sheet.bad(what, problem) }
        for note in survey.notes { sheet.note(what, note) }
        return survey
    }

    private func check(
        _ soap: HostOverSOAP, of cluster: ClusterSite, _ host: HostSite, _ what: String,
        _ sheet: inout CheckSheet
    ) async {
        do {
            let standing = try await soap.standing(
                suspends: cluster.suspendsGuests, opensSSH: host.sshPolicy == .run)
            sheet.good(what, "SOAP, hostd and \(standing.guests.counted("guest"))")
            for one in standing.missing {
                sheet.bad(
                    what,
                    "the user of its API may not \(one.privilege.purpose): "
                        + "\(one.privilege.rawValue) is missing on \(one.objects.some)")
            }
            switch standing.lockdown {
            case .disabled?: break
            case let mode?: sheet.note(what, mode.meaning)
            case nil: sheet.note(what, "whether it is in lockdown mode is not known")
            }
        } catch { sheet.bad(what, "\(error)") }
    }
}

extension ClusterSite {
    /// Whether any guest may be suspended.
    var suspendsGuests: Bool {
        tiers.contains { $0.onLimit == .suspend } || guestRules.contains { $0.onLimit == .suspend }
    }
}
