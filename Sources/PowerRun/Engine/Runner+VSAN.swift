import PowerModel

/// A vSAN cluster, whose hosts must not go one by one: first all of it is shut down by vCenter, or
/// made ready through the hosts' shells.
extension Runner {
    /// A vSAN cluster shut down by vCenter, or made ready for its hosts to be told.
    ///
    /// Once vCenter was asked, nobody does by hand what it may be at: two that prepare a cluster at
    /// the same time are a race. Nothing of this is ever left out, however short the time is:
    /// hosts of a vSAN cluster that is not ready stay on until the battery ends for all of them at
    /// once, which vSAN survives.
    func stopVSAN(
        _ way: VSANWay, on hosts: [HostName], vcsa: GuestID?, _ wait: Wait
    ) async -> StepOutcome? {
        var why: String?
        if way == .wizard {
            switch await powerOffVSAN(hosts, wait) {
            case .over(let outcome): return outcome
            case .notAsked(let reason): why = reason
            }
        }
        if let why {
            await record(.noted("\(why): vSAN is made ready through the hosts instead"))
        }
        if let vcsa, let problem = await stopVCSAFirst(vcsa) {
            return wait.gaveUp("vCSA: \(problem); \(Self.staysOn)")
        }
        return await prepareVSAN(hosts, wait)
    }

    private static let staysOn =
        "the hosts are left on: without it the last ones lose their storage"

    // MARK: By vCenter

    private enum PoweredOff {
        case over(StepOutcome?)
        /// vCenter was never asked, and why.
        case notAsked(String)
    }

    /// Asks vCenter to shut the cluster down, and looks until it is: vCenter says so, or, where it
    /// is one of its guests, every host is silent.
    private func powerOffVSAN(_ hosts: [HostName], _ wait: Wait) async -> PoweredOff {
        var askedAt = facts.hasPoweredOffVSAN ? around.time.elapsed : nil
        var late: [HostName: LateGuests] = [:]
        var problem = "nothing was seen"
        repeat {
            do {
                let power = try await around.cluster.vsanPower()
                if askedAt != nil, power == .off { return .over(.done(.asked)) }
                if case .changing(let status, let trouble) = power, askedAt != nil {
                    problem = trouble ?? "vCenter has come to \(status.onOneLine)"
                } else if !mayAskAgain(askedAt) {
                    problem = "vCenter was asked, and has not begun"
                } else if let why = await guestsOn(hosts, &late, mustRead: false, wait) {
                    problem = why
                } else if await passReturn("vCenter shuts vSAN down", wait) {
                    await recordAsk(.powerOffVSAN, wait.step.action.summary)
                    facts.powerOffVSAN()
                    askedAt = around.time.elapsed
                    try await around.cluster.powerVSAN(
                        false, reason: "vpower: power failure, run \(run)")
                }
            } catch {
                problem = "\(error)"
                if askedAt == nil, error.isAbsence || error.isFinal { return .notAsked(problem) }
            }
            if askedAt != nil, await areSilent(hosts) { return .over(.done(.asked)) }
        } while await wait.again()
        return .over(wait.gaveUp("\(problem); \(Self.staysOn)"))
    }

    private func mayAskAgain(_ askedAt: Duration?) -> Bool {
        askedAt.map { around.time.elapsed - $0 >= around.pace.startAgainAfter } ?? true
    }

    private func areSilent(_ hosts: [HostName]) async -> Bool {
        let silence = await around.askHosts { await $0.isSilent() }
        return hosts.allSatisfy { silence[$0] == true }
    }

    /// Host seen to be down, which vCenter shuts down with the others.
    func awaitDown(_ name: HostName, _ wait: Wait) async -> StepOutcome? {
        var silentSince: Duration?
        return await untilDone(on: name, wait) { host throws(HostError) in
            guard await host.isSilent() else {
                silentSince = nil
                return .notYet("vCenter has not shut it down")
            }
            let since = silentSince ?? around.time.elapsed
            silentSince = since
            return await down(name, silentSince: since)
        }
    }

    /// A vSAN cluster that vCenter shut down seen to be on again.
    func powerOnVSAN(_ wait: Wait) async -> StepOutcome? {
        var askedAt: Duration?
        var problem = "nothing was seen"
        repeat {
            do {
                switch try await around.cluster.vsanPower() {
                case .on: return .done(askedAt == nil ? .already : .asked)
                case .changing(let status, let trouble):
                    problem = trouble ?? "vCenter has come to \(status.onOneLine)"
                case .off, .unknown: problem = "vCenter says that it is off"
                }
                guard mayAskAgain(askedAt) else { continue }
                await recordAsk(wait.step.id, wait.step.action.summary)
                askedAt = around.time.elapsed
                try await around.cluster.powerVSAN(true, reason: "")
            } catch {
                problem = "\(error)"
                if error.reason == .loginRefused {
                    guard await wait.pause(min(around.pace.loginAgain, wait.left)) else { break }
                } else if error.isFinal {
                    return wait.gaveUp(problem)
                }
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    // MARK: Through the hosts

    /// Where vCenter was to stop itself, and is gone before it was asked: its guest goes down
    /// through its host, in that step's own time. Returns why it did not.
    private func stopVCSAFirst(_ vcsa: GuestID) async -> String? {
        guard let guest = known(vcsa), let host = guest.host else { return "its host is not known" }
        let stop = Step(
            .stopGuestOnHost(vcsa, name: guest.name, host), limit: around.site.limits.vcsa)
        guard let outcome = await carryOut(stop) else { return "the run was called back" }
        switch outcome {
        case .done: return nil
        case .gaveUp(let why), .left(let why): return why
        }
    }

    /// Every host keeps its list of members, then one of them, always the same, prepares all.
    private func prepareVSAN(_ hosts: [HostName], _ wait: Wait) async -> StepOutcome? {
        var late: [HostName: LateGuests] = [:]
        var wasAsked = false
        var problem = "nothing was seen"
        repeat {
            let members = await withoutAbsent(hosts)
            guard let first = members.first, let host = around.hosts[first] else {
                return .done(.already)
            }
            if let why = await guestsOn(members, &late, mustRead: true, wait) {
                problem = why
                continue
            }
            if !wasAsked { await recordAsk(wait.step.id, wait.step.action.summary) }
            wasAsked = true
            if let why = await keepMembers(true, on: members) {
                problem = why
                continue
            }
            guard await passReturn("vSAN is prepared", wait) else { continue }
            await recordAsk(.prepareVSAN, "prepare vSAN on \(first)")
            do {
                try await host.prepareVSAN(within: wait.left)
                return .done(.asked)
            } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp("\(problem); \(Self.staysOn)")
    }

    /// The hosts but those that were not there when the run began, and are silent still.
    private func withoutAbsent(_ hosts: [HostName]) async -> [HostName] {
        let inventory = now ?? goal.inventory
        let silence = await around.askHosts { await $0.isSilent() }
        return hosts.filter { inventory.host($0)?.connected != false || silence[$0] != true }
    }

    /// Has hosts keep their list of members, or lets it go; returns why one did not.
    private func keepMembers(_ on: Bool, on hosts: [HostName]) async -> String? {
        await failure(on: hosts) { host throws(HostError) in try await host.keepVSANMembers(on) }
    }

    /// Does something on hosts, some of them at the same time; returns why one did not.
    private func failure(
        on hosts: [HostName],
        _ act: @escaping @Sendable (any HostControl) async throws(HostError) -> Void
    ) async -> String? {
        let answers = await around.askHosts { host -> HostError? in
            guard hosts.contains(host.host) else { return nil }
            do throws(HostError) {
                try await act(host)
                return nil
            } catch { return error }
        }
        return answers.sorted { $0.key < $1.key }.compactMap(\.value).first.map { "\($0)" }
    }

    /// A vSAN cluster recovered by one of its hosts, where they kept their list of members; seen
    /// whole and healthy. Takes all of its hosts.
    func recoverVSAN(_ hosts: [HostName], _ wait: Wait) async -> StepOutcome? {
        var wasAsked = false
        var problem = "nothing was seen"
        repeat {
            let answers = await around.askHosts { host -> Result<Bool, HostError> in
                do throws(HostError) { return .success(try await host.keepsVSANMembers()) } catch {
                    return .failure(error)
                }
            }
            do throws(HostError) {
                var isKept = false
                for name in hosts {
                    switch answers[name] {
                    case .success(let keeps): isKept = isKept || keeps
                    case .failure(let error) where !facts.isLost(name): throw error
                    case .failure, nil: continue
                    }
                }
                let members = hosts.filter { !facts.isLost($0) }
                guard let first = members.first, let host = around.hosts[first] else {
                    return wait.gaveUp("no host came back")
                }
                if isKept {
                    await recordAsk(wait.step.id, "recover vSAN on \(first)")
                    wasAsked = true
                    try await host.recoverVSAN(within: wait.left)
                    if let why = await keepMembers(false, on: members) {
                        problem = why
                        continue
                    }
                }
                let seen = try await host.vsanMembership()
                if seen.isHealthy, seen.members >= members.count {
                    return .done(wasAsked ? .asked : .already)
                }
                problem =
                    "vSAN \(seen.isHealthy ? "is healthy" : "is not healthy") with "
                    + "\(seen.members) of \(hosts.count.counted("host"))"
            } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    // MARK: Both

    /// Guests that are on and must not be; they are asked to go down as late ones are.
    /// - Parameter mustRead: whether a host that cannot be read is in the way. vCenter looks
    /// itself.
    private func guestsOn(
        _ hosts: [HostName], _ late: inout [HostName: LateGuests], mustRead: Bool, _ wait: Wait
    ) async -> String? {
        for name in hosts {
            guard let host = around.hosts[name] else { continue }
            do throws(HostError) {
                let listed = try await host.guests()
                if let why = await whyNotToStop(
                    host, listed, &late[name, default: LateGuests()], wait)
                {
                    return why
                }
            } catch { if mustRead { return "\(error)" } }
        }
        return nil
    }
}
