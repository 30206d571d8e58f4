import PowerModel

/// vCSA and infrastructure guests: acted on through the hosts, wherever they are registered now.
extension Runner {
    /// Where a guest was found.
    private enum Found {
        /// Registered there, with this power.
        case at(HostName, GuestPower)
        /// No host that could be read lists it.
        case nowhere(HostLists)
    }

    /// Looks for a guest: first where it is expected, then on every host. HA or a person may have
    /// moved it, and its former host may still list it as off: where it is on is where it is.
    private func find(_ guest: Guest, first expected: HostName) async -> Found {
        if let host = around.hosts[expected] {
            // One that cannot be read is among those that are read next.
            do {
                let row = try await host.guests().first { $0.vmxPath == guest.vmxPath }
                if row?.power == .on { return .at(expected, .on) }
            } catch {}
        }
        let lists = await around.listGuests()
        let here = lists.guests[expected]?.first { $0.vmxPath == guest.vmxPath }
        let place = lists.places[guest.vmxPath]
        if let here, place?.power != .on { return .at(expected, here.power) }
        return place.map { .at($0.host, $0.power) } ?? .nowhere(lists)
    }

    /// Why a guest that is nowhere is not found.
    private func whyNowhere(_ lists: HostLists, expected: HostName) -> String {
        lists.unread[expected].map { "\($0)" } ?? "no host lists it"
    }

    /// vCSA or an infrastructure guest shut down through its host. Never powered off hard. vCSA is
    /// told itself where no host has its Tools do it: they do not run, or no host can be asked.
    func stopGuestOnHost(
        _ id: GuestID, planned: HostName, _ wait: Wait
    ) async -> StepOutcome? {
        guard let guest = known(id) else { return .gaveUp("no inventory has this guest") }
        var place = planned
        var wasAsked = false
        var problem = "nothing was seen"
        var mayAskItself = stopsVCSA(wait.step)
        repeat {
            switch await find(guest, first: place) {
            case .at(_, .off):
                return .done(wasAsked ? .asked : .already)
            case .at(_, .suspended): return .left("it is suspended")
            case .at(let host, .unknown): problem = "\(host) does not say whether it is on"
            case .at(let host, .on):
                place = host
                if wasAsked {
                    problem = "it was asked and is still on"
                    continue
                }
                await recordAsk(wait.step.id, "shut down \(guest.name.onOneLine) on \(host)")
                do {
                    try await around.hosts[host]?.shutDown(guest.forHost)
                    wasAsked = true
                } catch {
                    problem = "\(error)"
                    wasAsked = await askItself(guest, &mayAskItself, because: &problem, wait)
                }
            case .nowhere(let lists):
                problem = whyNowhere(lists, expected: planned)
                if !wasAsked {
                    wasAsked = await askItself(guest, &mayAskItself, because: &problem, wait)
                }
                guard lists.unread[planned]?.isFinal == true else { continue }
                // Nobody will see it off. What comes next waits until it is at least silent.
                if wasAsked, await vcenterAnswers() { continue }
                return wait.gaveUp(problem)
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    private func stopsVCSA(_ step: Step) -> Bool {
        plan.phase(.vcsa)?.steps.contains { $0.id == step.id } == true
    }

    /// Whether vCSA has accepted to power itself off, since its host does not do it. A refusal that
    /// would be repeated ends that.
    private func askItself(
        _ guest: Guest, _ mayAsk: inout Bool, because problem: inout String, _ wait: Wait
    ) async -> Bool {
        guard mayAsk else { return false }
        let name = guest.name.onOneLine
        await recordAsk(wait.step.id, "have \(name) power itself off: \(problem)")
        do {
            try await around.cluster.shutDownAppliance(reason: "vpower, run \(run)")
            problem = "\(name) has accepted to power itself off, and is not seen off: \(problem)"
            return true
        } catch {
            mayAsk = !error.isFinal
            problem += "; \(error)"
            return false
        }
    }

    private func vcenterAnswers() async -> Bool {
        do {
            _ = try await around.cluster.automation()
            return true
        } catch { return !error.isAbsence }
    }

    /// vCSA or an infrastructure guest seen to be on; started where no boot script did it. A host
    /// does not tell whether Tools answer, so `toolsWithin` has no say here.
    func startGuestOnHost(
        _ id: GuestID, planned: HostName, _ terms: StartTerms, _ wait: Wait
    ) async -> StepOutcome? {
        guard let guest = known(id) else { return .gaveUp("no inventory has this guest") }
        let staysOnAt = around.time.elapsed + terms.mayStopFor
        var adoption = Adoption()
        var place = planned
        var tries = 0
        var problem = "nothing was seen"
        var lookAt: Duration?
        repeat {
            lookAt = nil
            switch await find(guest, first: place) {
            case .at(_, .on) where tries > 0:
                return await wait.pause(terms.delay) ? .done(.asked) : nil
            case .at(_, .on):
                if around.time.elapsed >= staysOnAt { return .done(.already) }
                problem = "it was asked to shut down and may still do so"
                lookAt = staysOnAt
            case .at(let host, .unknown): problem = "\(host) does not say whether it is on"
            case .at(let host, _):
                if tries == around.pace.startTries {
                    return wait.gaveUp("started \(tries) times: \(problem)")
                }
                if tries > 0, await !wait.pause(around.pace.startAgainAfter) { return nil }
                place = host
                tries += 1
                problem = await start(guest, on: host, wait)
                lookAt = around.time.elapsed
            case .nowhere(let lists):
                problem = whyNowhere(lists, expected: planned)
                if lists.unread[planned]?.isFinal == true { return wait.gaveUp(problem) }
                guard facts.isLost(planned), lists.unread[planned] != nil else { continue }
                switch await adopt(guest, from: planned, lists, terms, &adoption, wait) {
                case .registered(let host): place = host
                case .notYet(let why): problem = why
                case .refused(let why): return wait.gaveUp(why)
                }
            }
        } while await wait.again(by: lookAt)
        return wait.gaveUp(problem)
    }

    /// Starts a guest; returns what there is to say while it is not seen on.
    private func start(_ guest: Guest, on host: HostName, _ wait: Wait) async -> String {
        await recordAsk(wait.step.id, "start \(guest.name.onOneLine) on \(host)")
        do {
            try await around.hosts[host]?.powerOn(guest.forHost)
            return "it was started on \(host), but is not seen on"
        } catch { return "\(error)" }
    }
}

extension Guest {
    /// The guest as its host knows it.
    var forHost: BootGuest { BootGuest(name: name, vmxPath: vmxPath) }
}
