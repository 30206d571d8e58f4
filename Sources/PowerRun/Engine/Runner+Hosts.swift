import PowerModel

/// What is done through the hosts themselves.
extension Runner {
    /// Does something on a host until it is as wanted, or the wait is over. The body returns the
    /// outcome, or why it is not so yet.
    func untilDone(
        on name: HostName, _ wait: Wait,
        _ body: (any HostControl) async throws(HostError) -> Progress
    ) async -> StepOutcome? {
        guard let host = around.hosts[name] else {
            return .gaveUp("the site file does not have \(name)")
        }
        var problem = "nothing was seen"
        var lookAt: Duration?
        repeat {
            lookAt = nil
            do {
                let progress = try await hostGate.pass { () async throws(HostError) in
                    try await body(host)
                }
                switch progress {
                case .over(let outcome): return outcome
                case .notYet(let why): problem = why
                case .notBefore(let moment, let why):
                    lookAt = moment
                    problem = why
                }
            } catch {
                problem = "\(error)"
                // Nothing waits for a host that did not come back.
                if error.isFinal || facts.isLost(name) { return wait.gaveUp(problem) }
            }
        } while await wait.again(by: lookAt)
        return wait.gaveUp(problem)
    }

    enum Progress {
        case over(StepOutcome)
        case notYet(String)
        /// It cannot be so before this moment.
        case notBefore(Duration, String)
    }

    /// Host shut down and seen to be down: told, silent for the settle time, the witness there.
    func stopHost(_ name: HostName, maintenance: Bool, _ wait: Wait) async -> StepOutcome? {
        let isOfVSAN = plan.kind == .vsan
        if isOfVSAN, !facts.isVSANReady, !facts.hasPoweredOffVSAN {
            return .left("it stays on: vSAN was not made ready for it to go")
        }
        let outcome =
            isOfVSAN && facts.hasPoweredOffVSAN
            ? await awaitDown(name, wait)
            : await bringHostDown(name, maintenance: maintenance, wait)
        await around.hosts[name]?.close()
        return outcome
    }

    private func bringHostDown(
        _ name: HostName, maintenance: Bool, _ wait: Wait
    ) async -> StepOutcome? {
        // A resumed run finds in the records that it may have been told: then silence counts.
        var wasTold = earlier?.hasAsked(wait.step.id) == true
        var wasToldNow = false
        var wasLookedUp = false
        var silentSince: Duration?
        var late = LateGuests()
        return await untilDone(on: name, wait) { host throws(HostError) in
            if await host.isSilent() {
                if !wasTold, !wasLookedUp {
                    wasTold = await wasSeenDown(name)
                    wasLookedUp = true
                }
                guard wasTold else { return await downUntold(name) }
                let since = silentSince ?? around.time.elapsed
                silentSince = since
                return await down(name, silentSince: since)
            }
            silentSince = nil
            if !wasToldNow {
                if let why = try await tellToStop(host, maintenance: maintenance, &late, wait) {
                    return .notYet(why)
                }
                wasTold = true
                wasToldNow = true
            }
            return .notYet("it was told to shut down and still answers")
        }
    }

    /// Tells a host to stop once no guest that matters is on; returns why it did not.
    private func tellToStop(
        _ host: any HostControl, maintenance: Bool, _ late: inout LateGuests, _ wait: Wait
    ) async throws(HostError) -> String? {
        var listed = try await host.guests()
        if let why = await whyNotToStop(host, listed, &late, wait) { return why }
        // At the battery's end it is not waited for.
        if maintenance, !control.isDeadlineReached {
            await enterMaintenance(host)
            // That may have taken minutes, in which somebody may have started a guest.
            listed = try await host.guests()
            if let why = await whyNotToStop(host, listed, &late, wait) { return why }
        }
        guard await passReturn("\(host.host) is told to stop", wait) else {
            return "the run was called back"
        }
        await recordAsk(wait.step.id, "shut down \(host.host)")
        try await host.shutDownHost(reason: "vpower: power failure, run \(run)")
        return nil
    }

    /// Passes the point of no return; false when the run was called back a moment before.
    func passReturn(_ what: String, _ wait: Wait) async -> Bool {
        switch control.passReturn() {
        case .first: await record(.pointOfNoReturn(what))
        case .before: break
        case .calledBack: return false
        }
        budgets.tellHost(wait.step.id, at: around.time.elapsed)
        return true
    }

    /// Maintenance mode, where the host agrees. What it refused is on record: a restore must not
    /// take a host out of a mode that somebody else puts it in later. So it is not asked again:
    /// it might agree then, against the record, and a battery does not wait for it twice.
    private func enterMaintenance(_ host: any HostControl) async {
        if facts.hasRefusedMaintenance(host.host) { return }
        let step = StepID.maintenance(of: host.host)
        await recordAsk(step, "maintenance mode on \(host.host)")
        do {
            try await host.setMaintenance(true, within: around.site.limits.maintenance)
        } catch {
            let why = "\(error); it is shut down without maintenance mode"
            guard error.reason == .refused, await isOutOfMaintenance(host) else {
                return await record(.noted(why))
            }
            facts.refuseMaintenance(host.host)
            await record(.stepEnded(step, .left(why)))
        }
    }

    /// Whether the host says so: what was asked before, and not answered, may have been done.
    private func isOutOfMaintenance(_ host: any HostControl) async -> Bool {
        do { return try await !host.inMaintenance() } catch { return false }
    }

    /// Host seen to be back with hostd ready; out of maintenance mode where vpower put it there.
    func awaitHost(
        _ name: HostName, leaveMaintenance: Bool, _ wait: Wait
    ) async -> StepOutcome? {
        var wasAsked = false
        let wakeAt = around.time.elapsed + around.pace.wakeAfter
        var woken = false
        return await untilDone(on: name, wait) { host throws(HostError) in
            if !woken, around.time.elapsed >= wakeAt, await host.isSilent() {
                woken = true
                await recordAsk(wait.step.id, "wake \(name)")
                if let why = await around.wake(name) { await record(.noted("\(name): \(why)")) }
            }
            guard try await host.inMaintenance() else {
                return .over(.done(wasAsked ? .asked : .already))
            }
            guard leaveMaintenance else { return .over(.done(.already)) }
            await recordAsk(wait.step.id, "leave maintenance mode on \(name)")
            wasAsked = true
            try await host.setMaintenance(false, within: around.site.limits.maintenance)
            return .notYet("it is still in maintenance mode")
        }
    }

    /// Boot script seen to have reported.
    func awaitBootScript(
        _ name: HostName, armedBy run: RunID, _ wait: Wait
    ) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            switch try await host.bootReport(of: run) {
            case .done(let failed):
                for path in failed {
                    await record(
                        .noted("\(name): its boot script could not start \(path.onOneLine)"))
                }
                return .over(.done(.already))
            case .expired: return .over(.left("it had expired, and started nothing of this"))
            case .calledOff: return .over(.left("it was called off"))
            case .running: return .notYet("it is still at work")
            case .none: return .notYet("it has not reported")
            }
        }
    }

    /// Machine shut down and seen to be silent. One that is silent and was never told may be off,
    /// or only out of reach: nobody may cut its power.
    func stopMachine(_ name: MachineName, _ wait: Wait) async -> StepOutcome? {
        guard let machine = around.machines[name] else {
            return .gaveUp("the site file does not have \(name)")
        }
        var wasTold = earlier?.hasAsked(wait.step.id) == true
        var problem = "it still answers"
        let firstLook = around.time.elapsed
        repeat {
            if await machine.isSilent() {
                if wasTold { return .done(.asked) }
                problem = "it does not answer, and was not told to shut down"
                if around.time.elapsed - firstLook < around.site.limits.settle { continue }
                return .left(problem)
            }
            if wasTold { continue }
            await recordAsk(wait.step.id, wait.step.action.summary)
            do {
                try await machine.shutDown()
                wasTold = true
            } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// Machine woken and seen to answer.
    func startMachine(_ name: MachineName, _ wait: Wait) async -> StepOutcome? {
        guard let machine = around.machines[name] else {
            return .gaveUp("the site file does not have \(name)")
        }
        var problem = "it does not answer"
        var wasAsked = false
        repeat {
            if await !machine.isSilent() { return .done(wasAsked ? .asked : .already) }
            if wasAsked { continue }
            await recordAsk(wait.step.id, wait.step.action.summary)
            wasAsked = true
            do { try await machine.wake() } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }
}
