import PowerModel

/// The guests of one host that are on when it is to stop, though their phases are over: a boot
/// script that is still at work, HA or a person started them since.
///
/// vCSA and infrastructure are asked until the step ends, the others until their tier's limit, or
/// half of the step's time, is over: then policy decides.
struct LateGuests {
    fileprivate struct OnItsWay {
        let stop: LateStop
        var guest: GuestGoingDown
    }

    /// When the first of them was seen.
    fileprivate var since: Duration?
    /// Those that are on their way, by configuration file.
    fileprivate var goingDown: [String: OnItsWay] = [:]
    /// Those that policy leaves on.
    fileprivate(set) var left: Set<String> = []

    /// Of the time that is left to a host when the first is seen, late guests may take this part;
    /// the rest is what the host needs to go down itself.
    fileprivate static let part = 2
}

/// Late guests go down as their tiers do, through their host, before it is told to stop.
extension Runner {
    /// Why a host must stay on: guests that matter are, of those it lists. They are asked to go
    /// down, tier by tier. At the battery's end they are cut off.
    func whyNotToStop(
        _ host: any HostControl, _ listed: [HostGuest], _ late: inout LateGuests, _ wait: Wait
    ) async -> String? {
        if !control.isDeadlineReached, !control.mustStop {
            await bringDown(&late, listed, on: host, wait)
        }
        let on = listed.filter { matters($0) && !late.left.contains($0.vmxPath) }
        if on.isEmpty { return nil }
        let names = on.map(\.name.onOneLine).sorted().joined(separator: ", ")
        guard control.isDeadlineReached else { return "guests are still on: \(names)" }
        await record(.noted("\(host.host): the battery is at its end: cut off: \(names)"))
        return nil
    }

    private func matters(_ guest: HostGuest) -> Bool {
        (guest.power == .on || guest.power == .unknown) && !mayStayOn.contains(guest.vmxPath)
    }

    /// Looks at each once, and asks of it what it is time to ask.
    private func bringDown(
        _ late: inout LateGuests, _ listed: [HostGuest], on host: any HostControl, _ wait: Wait
    ) async {
        let on = listed.filter { matters($0) && !late.left.contains($0.vmxPath) }
        if on.isEmpty, late.goingDown.isEmpty { return }
        let stops = await lateStops()
        let now = around.time.elapsed
        let since = late.since ?? now
        late.since = since
        for path in on.map(\.vmxPath) where late.goingDown[path] == nil {
            guard let stop = stops[path] else { continue }
            late.goingDown[path] = onItsWay(stop, since: since, wait)
        }
        let powers = Dictionary(
            listed.map { ($0.vmxPath, $0.power) }, uniquingKeysWith: { first, _ in first })
        let first = late.goingDown.values.map(\.stop.place).min()
        var acts: [(path: String, act: GuestAct)] = []
        for (path, one) in late.goingDown.sorted(by: { $0.key < $1.key }) {
            var guest = one.guest
            let tools = lacksTools(one.stop) ? ToolsState.absent : .unknown
            let seen = powers[path].map {
                GuestView.Seen(power: $0, tools: tools, host: host.host)
            }
            switch guest.verdict(on: seen, mayBegin: one.stop.place == first, now: now) {
            case .wait: continue
            case .act(let act):
                guest.begin(act, now: now)
                late.goingDown[path]?.guest = guest
                acts.append((path, act))
            case .over(let outcome):
                late.goingDown[path] = nil
                if case .left = outcome { late.left.insert(path) }
                await record(.stepEnded(guest.step.id, outcome))
            }
        }
        await ask(acts, of: &late, on: host)
    }

    private func onItsWay(
        _ stop: LateStop, since: Duration, _ wait: Wait
    ) -> LateGuests.OnItsWay {
        let guest = stop.guest
        let step = Step(
            .stopGuest(guest.id, name: guest.name, stop.onLimit ?? .leave), limit: stop.limit)
        return LateGuests.OnItsWay(
            stop: stop,
            guest: GuestGoingDown(
                step, guest, stop.onLimit ?? .leave,
                askedBefore: earlier?.hasAsked(step.id) == true, pace: around.pace,
                timeEnds: { limit in
                    if stop.onLimit == nil { return nil }
                    let whole = self.around.time.elapsed - since + wait.left
                    let left = self.control.deadline.map { min(whole, $0 - since) } ?? whole
                    let end = since + max(.zero, left) / LateGuests.part
                    return limit.map { min($0, end) } ?? end
                }))
    }

    /// Whether there is nobody to ask inside, as the outage's snapshot has it: now, the Tools of a
    /// guest that was just started may only not be up yet. vCSA and infrastructure have no policy
    /// to go to.
    private func lacksTools(_ stop: LateStop) -> Bool {
        guard stop.onLimit != nil, let before = goal.inventory.guest(stop.guest.id) else {
            return false
        }
        return before.power == .on && before.tools == .absent
    }

    /// Makes the requests side by side, some of them at the same time.
    private func ask(
        _ acts: [(path: String, act: GuestAct)], of late: inout LateGuests,
        on host: any HostControl
    ) async {
        let gate = CallGate(around.pace.guestsAtOnce)
        await withTaskGroup(of: (String, GuestAct, GuestView.Answer).self) { group in
            for (path, act) in acts {
                guard let one = late.goingDown[path] else { continue }
                let (guest, step) = (one.stop.guest, one.guest.step.id)
                group.addTask {
                    await gate.pass {
                        let words = "\(act.words(guest)) on \(host.host): it is on again"
                        await self.recordAsk(step, words)
                        let answer = await host.answer(to: act, of: guest)
                        return (path, act, answer.orNotYet)
                    }
                }
            }
            for await (path, act, answer) in group {
                late.goingDown[path]?.guest.take(answer, of: act, now: around.time.elapsed)
            }
        }
    }

    /// How guests go down that no plan could foresee; found out once, when the first is there.
    private func lateStops() async -> [String: LateStop] {
        if let known = facts.lateStops { return known }
        var inventory = now ?? goal.inventory
        inventory.takeLabels(of: goal.inventory)
        var stops: [String: LateStop] = [:]
        do {
            stops = try Planner(site: around.site)
                .lateStops(of: inventory, leaving: plan.kind != .vsan)
        } catch {
            await record(.noted("guests that were started since are left on: \(error)"))
        }
        facts.keep(stops)
        return stops
    }
}

extension GuestView.Answer {
    /// What comes of a guest whose Tools may not be up yet: it is asked again until its limit.
    fileprivate var orNotYet: Self {
        if case .cannot(let why) = self { .failed(why) } else { self }
    }
}
