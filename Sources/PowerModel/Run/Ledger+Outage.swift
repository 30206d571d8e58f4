extension Ledger {
    /// The hosts whose boot script is to report, and the run that armed each: those that were
    /// armed and then told to stop.
    public var bootsAwaited: [HostName: RunID] {
        var armed: [HostName: RunID] = [:]
        var awaited: [HostName: RunID] = [:]
        for run in runs {
            for step in run.steps {
                if case .arm(let host, _, let planned) = step.action,
                    case .done = run.outcome(of: step.id)
                {
                    // Nothing but a boot script reports.
                    let way = (run.bootChoices[host] ?? planned)?.way ?? .localsh
                    armed[host] = way == .localsh ? run.id : nil
                }
                // What was taken out does not act at the next boot.
                if case .disarm(let host) = step.action, case .done = run.outcome(of: step.id) {
                    armed[host] = nil
                    awaited[host] = nil
                }
                // Only a host that was told to stop after it was armed boots into that script.
                if let host = step.action.stoppedHost, run.hasAsked(step.id) {
                    awaited[host] = armed[host]
                }
            }
        }
        return awaited
    }

    /// What hosts started by themselves before vpower changed it, where it was not seen to be so
    /// again since: a value that vpower wrote is never taken for the previous one.
    public var autostartBefore: [HostName: HostAutostart] {
        var before: [HostName: HostAutostart] = [:]
        for run in runs {
            before.merge(run.autostartBefore) { first, _ in first }
            guard run.plan.kind == .restore, !before.isEmpty else { continue }
            for step in run.steps {
                if case .restoreAutostart(let host, _) = step.action,
                    case .done = run.outcome(of: step.id)
                {
                    before[host] = nil
                }
            }
        }
        return before
    }

    /// Whether SSH ran on hosts before vpower changed it in this outage: what was found first
    /// counts.
    public var sshBefore: [HostName: Bool] {
        runs.reduce(into: [:]) { before, run in
            before.merge(run.sshFound) { first, _ in first }
        }
    }

    /// Guests that were asked to shut down and were not seen off, by a run that did not see all
    /// its hosts down: they may still do so while they are restored, until a restore has waited
    /// that out.
    public var guestsThatMayStillStop: Set<GuestID> {
        var guests = Set<GuestID>()
        for run in runs where !run.hasSeenHostsDown {
            for step in run.steps {
                if let started = step.action.startedGuest, case .done = run.outcome(of: step.id) {
                    guests.remove(started)
                }
            }
            // Not only those of the plan: a guest may be started since.
            for (step, progress) in run.progress {
                guard progress.asked != nil, let guest = step.stoppedGuest else { continue }
                if case .done = progress.outcome {
                    guests.remove(guest)
                } else {
                    guests.insert(guest)
                }
            }
        }
        return guests
    }

    /// The way a vSAN cluster went down in this outage, or may have, and was not seen to come back
    /// since.
    var vsanWentDown: VSANWay? {
        var way: VSANWay?
        for run in runs {
            if run.hasAsked(.powerOffVSAN) { way = .wizard }
            if run.hasAsked(.prepareVSAN) { way = .manual }
            if case .done = run.outcome(of: .startVSAN) { way = nil }
        }
        return way
    }

    /// The machines that were told to stop.
    public var machinesStopped: Set<MachineName> {
        asked { action in
            switch action {
            case .stopMachine(let machine, _), .tellMachine(let machine, _, _): machine
            default: nil
            }
        }
    }

    /// The machines that were told to stop, or may have been, and were seen neither down nor back
    /// since.
    public var departures: [MachineName: MachineDeparture] {
        var departures: [MachineName: MachineDeparture] = [:]
        for run in runs {
            for step in run.steps {
                switch step.action {
                case .stopMachine(let machine, let delay):
                    if case .done = run.outcome(of: step.id) {
                        departures[machine] = nil
                    } else if let going = run.departure(
                        step.id, delay: delay ?? .zero, goneWithin: step.limit)
                    {
                        departures[machine] = going
                    }
                case .tellMachine(let machine, let delay, let within):
                    if let going = run.departure(step.id, delay: delay, goneWithin: within) {
                        departures[machine] = going
                    }
                case .startMachine(let machine, _):
                    if case .done = run.outcome(of: step.id) { departures[machine] = nil }
                default: break
                }
            }
        }
        return departures
    }

    /// Whether vpower took only parts of the cluster down: then its automation is as it was, and
    /// what it did not touch lives on. Not so where nobody shut anything down: the power went.
    var onlyPartsWentDown: Bool {
        let down = runs.map(\.plan.kind).filter { $0 != .restore }
        return !down.isEmpty && down.allSatisfy { $0 == .shed || $0 == .hosts }
    }

    /// The guests that a run was to shut down, whether or not it came to that, and those that it
    /// shut down since somebody had started them.
    var guestsMeant: Set<GuestID> {
        Set(runs.flatMap { $0.steps.map(\.id) + $0.asked }.compactMap(\.stoppedGuest))
    }

    /// Whether this guest is one of those.
    func wasMeant(_ guest: GuestID) -> Bool {
        let stop = StepID.stop(guest)
        return runs.contains { run in
            run.hasAsked(stop) || run.steps.indices.contains { run.steps[$0].id == stop }
        }
    }

    /// The hosts that were told to stop, or to enter maintenance mode.
    var hostsTouched: Set<HostName> {
        hostsPutInMaintenance.union(
            asked { $0.stoppedHost })
    }

    /// The hosts that may hold a boot script of this outage.
    var hostsArmed: Set<HostName> {
        asked { if case .arm(let host, _, _) = $0 { host } else { nil } }
    }

    /// How long a run's boot scripts wait between their guests, by host.
    func bootPauses(of run: RunID) -> [HostName: Duration] {
        var pauses: [HostName: Duration] = [:]
        for step in runs.last(where: { $0.id == run })?.steps ?? [] {
            if case .arm(let host, let orders, _) = step.action {
                pauses[host] = orders.guests.reduce(.zero) { $0 + $1.thenWait }
            }
        }
        return pauses
    }

    /// What the steps of a kind that asked for something act on, of all runs.
    private func asked<Thing>(_ thing: (Action) -> Thing?) -> Set<Thing> {
        var things = Set<Thing>()
        for run in runs {
            for place in run.steps.indices {
                // Its kind first: to look it up costs more.
                guard let thing = thing(run.steps[place].action) else { continue }
                if run.hasAsked(run.steps[place].id) { things.insert(thing) }
            }
        }
        return things
    }
}

extension Action {
    /// The host this shuts down, if it shuts one down.
    fileprivate var stoppedHost: HostName? {
        switch self {
        case .stopHost(let host, _), .leaveHost(let host, _, _): host
        default: nil
        }
    }

    /// The guest this starts, if it starts one.
    fileprivate var startedGuest: GuestID? {
        switch self {
        case .startGuest(let guest, _, _, _), .startGuestOnHost(let guest, _, _, _): guest
        default: nil
        }
    }
}

extension RunLedger {
    /// What is on record of a machine that this step told to go; nil where it did not come to that.
    fileprivate func departure(
        _ step: StepID, delay: Duration, goneWithin: Duration
    ) -> MachineDeparture? {
        guard let told = progress[step]?.askedLast else { return nil }
        var isCertain = false
        if case .done = outcome(of: step) { isCertain = true }
        return MachineDeparture(
            told: told, delay: delay, goneWithin: goneWithin, isCertain: isCertain,
            isHandedOver: hasHandedOver)
    }

    /// Whether it handed vpower's own host over, or may have.
    private var hasHandedOver: Bool {
        steps.contains { step in
            guard case .leaveHost = step.action, hasAsked(step.id) else { return false }
            if case .gaveUp = outcome(of: step.id) { return false }
            return true
        }
    }

    /// The steps that asked for something.
    fileprivate var asked: [StepID] { progress.filter { $0.value.asked != nil }.map(\.key) }

    /// Whether it was to take hosts down, and saw all of them down: with what was on them.
    fileprivate var hasSeenHostsDown: Bool {
        let hosts = steps.indices.filter {
            steps[$0].action.stoppedHost != nil
        }
        return !hosts.isEmpty
            && hosts.allSatisfy {
                // The controller's own host is never seen down.
                if case .leaveHost = steps[$0].action { return false }
                if case .done = outcome(of: steps[$0].id) { return true }
                return false
            }
    }
}
