import PowerModel

/// Storage and others: what is neither host nor guest.
extension Runner {
    /// Machine shut down and seen to be silent, from when it goes on: before, its silence means
    /// something else. One that is silent and was never told may be off, or only out of reach:
    /// nobody may cut its power.
    func stopMachine(
        _ name: MachineName, after delay: Duration, _ wait: Wait
    ) async -> StepOutcome? {
        guard let machine = around.machines[name] else { return Self.isUnknown(name) }
        // A resumed run finds in the records that it may have been told: then silence counts.
        var goesAt = toldBefore(wait.step.id).map { told in
            around.time.elapsed + max(.zero, min(told + delay - around.time.wall, delay))
        }
        var wasToldNow = false
        var fellSilentEarly = false
        var problem = "it still answers"
        let firstLook = around.time.elapsed
        repeat {
            let now = around.time.elapsed
            if await machine.isSilent() {
                guard let goesAt else {
                    problem = Self.isSilentUntold
                    if now - firstLook < around.site.limits.settle { continue }
                    return .left(problem)
                }
                fellSilentEarly = fellSilentEarly || now < goesAt
                if !fellSilentEarly { return .done(.asked) }
                problem = "it fell silent before it was to go: that proves nothing"
                continue
            }
            fellSilentEarly = false
            if wasToldNow {
                problem = "it still answers"
                continue
            }
            await recordAsk(wait.step.id, wait.step.action.summary)
            do {
                try await machine.shutDown()
                goesAt = around.time.elapsed + delay
                wasToldNow = true
            } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// Machine told to go by itself, later than vpower: nobody waits for that.
    func tellMachine(_ name: MachineName, _ wait: Wait) async -> StepOutcome? {
        guard let machine = around.machines[name] else { return Self.isUnknown(name) }
        var problem = "it does not answer"
        let firstLook = around.time.elapsed
        repeat {
            if await machine.isSilent() {
                if toldBefore(wait.step.id) != nil { return .done(.asked) }
                problem = Self.isSilentUntold
                if around.time.elapsed - firstLook < around.site.limits.settle { continue }
                return .left(problem)
            }
            await recordAsk(wait.step.id, wait.step.action.summary)
            let told = around.time.wall
            do {
                try await machine.shutDown()
                facts.tell(name, at: told)
                return .done(.asked)
            } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// When an earlier try of this run told a machine, or was about to.
    private func toldBefore(_ step: StepID) -> Timestamp? { earlier?.progress[step]?.askedLast }

    private static var isSilentUntold: String {
        "it does not answer, and was not told to shut down"
    }

    private static func isUnknown(_ name: MachineName) -> StepOutcome {
        .gaveUp("the site file does not have \(name)")
    }

    // MARK: Told, and not gone yet

    /// Tells the machines anew that would go before vpower's own host, which is told later than
    /// planned. What cannot be called off goes as it was told, and that is recorded.
    /// - Returns: whether any was told: that took a while.
    func tellMachinesAnew() async -> Bool {
        var wasAnyTold = false
        for step in plan.steps {
            guard case .tellMachine(let name, let delay, _) = step.action,
                let told = facts.machinesTold[name],
                told + delay < around.time.wall + around.site.limits.leave
            else { continue }
            facts.tell(name, at: nil)
            if await tellAnew(name, delay, step.id) { wasAnyTold = true }
        }
        return wasAnyTold
    }

    private func tellAnew(_ name: MachineName, _ delay: Duration, _ step: StepID) async -> Bool {
        let early = "\(name) goes before vpower's own host may be off"
        guard let machine = around.machines[name], machine.canBeCalledOff,
            delay >= around.site.limits.leave, await !machine.isSilent()
        else {
            await record(.noted(early))
            return false
        }
        await recordAsk(step, "call \(name) off and tell it anew: it would go too early")
        do throws(MachineError) { try await machine.callOff() } catch {
            await record(.stepEnded(step, .done(.asked)))
            await record(.noted("\(early): \(error)"))
            return false
        }
        let told = around.time.wall
        do throws(MachineError) { try await machine.shutDown() } catch {
            await record(
                .stepEnded(step, .gaveUp("it was called off, and not told anew: \(error)")))
            return true
        }
        facts.tell(name, at: told)
        await record(.stepEnded(step, .done(.asked)))
        return true
    }

    // MARK: Back

    /// Machine woken and seen to answer. One that may be about to go is called off, where that can
    /// be, or waited for: before it has gone, or its time is over, its answers say nothing.
    func startMachine(
        _ name: MachineName, going: MachineDeparture?, _ wait: Wait
    ) async -> StepOutcome? {
        guard let machine = around.machines[name] else { return Self.isUnknown(name) }
        if let going, await isCalledOff(machine, going, wait) { return .done(.asked) }
        var problem = "it does not answer"
        var goneBy = around.time.elapsed + (going?.left(at: around.time.wall) ?? .zero)
        var silentSince: Duration?
        var wokenAt: Duration?
        repeat {
            let now = around.time.elapsed
            if await !machine.isSilent() {
                if now >= goneBy { return .done(wokenAt == nil ? .already : .asked) }
                problem = "it was told to shut down, and is about to go"
                silentSince = nil
                continue
            }
            let since = silentSince ?? now
            silentSince = since
            // What fell silent just now is still going down, and hears nothing.
            if now < goneBy, now - since < around.site.limits.settle { continue }
            goneBy = now
            if let woken = wokenAt, now - woken < around.pace.wakeAfter { continue }
            wokenAt = now
            problem = "it does not answer"
            await recordAsk(wait.step.id, "wake \(name)")
            do { try await machine.wake() } catch { problem = "\(error)" }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// Whether a machine that was told took it that it is not to go after all. Once it is going, or
    /// vpower's own host is, that is not tried.
    private func isCalledOff(
        _ machine: any MachineControl, _ going: MachineDeparture, _ wait: Wait
    ) async -> Bool {
        guard machine.canBeCalledOff, !going.isHandedOver, around.time.wall < going.goesAt,
            await !machine.isSilent()
        else { return false }
        await recordAsk(wait.step.id, "call off the shutdown of \(machine.machine)")
        do throws(MachineError) {
            try await machine.callOff()
            return true
        } catch {
            await record(.noted("\(error); it goes, and is woken then"))
            return false
        }
    }
}

extension MachineDeparture {
    /// How long it may still take until it is down. Clocks may be wrong after a cut: never longer
    /// than from when it was told.
    fileprivate func left(at wall: Timestamp) -> Duration {
        max(.zero, min(goneBy - wall, goneWithin))
    }
}
