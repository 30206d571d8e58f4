import PowerModel

/// A guest of a tier that is not down yet.
private struct Pending {
    let step: Step
    let guest: Guest
    let escalation: Escalation
    /// When its limit ends; set when it is first asked.
    var deadline: Duration?
    /// When a request that was not taken is made again.
    var retryAt: Duration?
    var wasAsked = false
    var wasForced = false
    /// Nobody to ask inside: straight to the policy.
    var lacksTools = false
    var problem: String?

    /// Takes in what became of a request.
    mutating func take(
        _ answer: TierView.Answer, force: Bool, now: Duration, pace: EnginePace
    ) {
        if force {
            wasForced = true
            deadline = now + pace.forcedOff
        } else {
            deadline = deadline ?? now + step.limit
        }
        switch answer {
        case .taken: wasAsked = true
        case .noTools: lacksTools = true
        case .failed(let why):
            problem = why
            retryAt = now + pace.look
        }
    }
}

/// What to do about one guest.
private enum Verdict {
    case wait, ask, force
    case over(StepOutcome)
}

/// One tier of guests: asked together, watched together, each escalated at its own limit.
extension Runner {
    func stopTier(_ steps: [Step]) async -> Gaps {
        var gaps = Gaps()
        var pending: [GuestID: Pending] = [:]
        for step in steps {
            guard case .stopGuest(let id, _, let escalation) = step.action else { continue }
            if let guest = known[id] {
                pending[id] = Pending(step: step, guest: guest, escalation: escalation)
            } else {
                await record(.stepEnded(step.id, .gaveUp("no inventory has this guest")))
                gaps.count += 1
            }
        }
        var view = TierView(of: pending.values.map(\.guest), in: around)
        while !pending.isEmpty {
            if control.mustStop {
                gaps.unfinished = true
                return gaps
            }
            await mindBudgets()
            let seen = await view.look(until: nextMoment(pending))
            if let note = view.takeNote() { await record(.noted(note)) }
            var toAsk: [GuestID] = []
            var toForce: [GuestID] = []
            for (id, one) in pending.sorted(by: { $0.key < $1.key }) {
                switch verdict(one, seen: seen[id]) {
                case .wait: break
                case .ask: toAsk.append(id)
                case .force: toForce.append(id)
                case .over(let outcome):
                    await record(.stepEnded(one.step.id, outcome))
                    if case .gaveUp = outcome { gaps.count += 1 }
                    pending[id] = nil
                }
            }
            await act(on: toAsk, &pending, through: view, force: false)
            await act(on: toForce, &pending, through: view, force: true)
        }
        return gaps
    }

    /// The next moment at which a limit ends or a request is made again.
    private func nextMoment(_ pending: [GuestID: Pending]) -> Duration? {
        pending.values.flatMap { [deadline(of: $0), $0.wasAsked ? nil : $0.retryAt] }
            .compactMap(\.self).min()
    }

    /// When a guest's time ends. One whose power was cut has its own, whatever the budget.
    private func deadline(of one: Pending) -> Duration? {
        one.wasForced ? one.deadline : end(of: one.step.id, limit: one.deadline)
    }

    /// What to do about one guest, from what was seen of it. Absent means unknown, never off.
    private func verdict(_ one: Pending, seen: TierView.Seen?) -> Verdict {
        let now = around.time.elapsed
        let isLate = deadline(of: one).map { now >= $0 } ?? false
        switch seen?.power ?? .unknown {
        case .off:
            return .over(.done(one.wasForced ? .forced : one.wasAsked ? .asked : .already))
        case .suspended: return .over(.left("it is suspended"))
        case .on, .unknown:
            if one.wasForced {
                return isLate
                    ? .over(.gaveUp("its power was cut, but it is not seen off")) : .wait
            }
            if one.lacksTools || seen?.tools == .absent && !one.wasAsked {
                return escalate(one, because: "no Tools to ask")
            }
            if isLate { return escalate(one, because: one.problem ?? "still on at its limit") }
            if one.wasAsked { return .wait }
            return one.retryAt.map { now >= $0 } ?? true ? .ask : .wait
        }
    }

    private func escalate(_ one: Pending, because why: String) -> Verdict {
        switch one.escalation {
        case .powerOff, .suspend: .force
        case .leave: .over(.left("\(why): left to go down with its host"))
        }
    }

    /// Asks or forces some guests, a bounded number at the same time. Each is recorded first.
    private func act(
        on ids: [GuestID], _ pending: inout [GuestID: Pending], through view: TierView,
        force: Bool
    ) async {
        let pace = around.pace
        for start in stride(from: 0, to: ids.count, by: pace.guestsAtOnce) {
            if control.mustStop { return }
            var calls: [Guest] = []
            for id in ids[start..<min(start + pace.guestsAtOnce, ids.count)] {
                guard let one = pending[id] else { continue }
                await recordAsk(
                    one.step.id, "\(force ? "power off" : "shut down") \(one.guest.name.onOneLine)")
                calls.append(one.guest)
            }
            let answers = await withTaskGroup(of: (GuestID, TierView.Answer).self) { group in
                for guest in calls {
                    group.addTask {
                        (guest.id, await force ? view.powerOff(guest) : view.shutDown(guest))
                    }
                }
                var answers: [GuestID: TierView.Answer] = [:]
                for await (id, answer) in group { answers[id] = answer }
                return answers
            }
            for (id, answer) in answers.sorted(by: { $0.key < $1.key }) {
                pending[id]?.take(answer, force: force, now: around.time.elapsed, pace: pace)
            }
        }
    }
}

/// What the engine sees of a tier's guests and through whom it acts: vCenter, or the hosts
/// themselves once vCenter is gone.
struct TierView: Sendable {
    /// One guest as seen.
    struct Seen: Sendable {
        var power: GuestPower
        var tools: ToolsState
    }

    /// What became of a request.
    enum Answer: Sendable {
        /// It was taken.
        case taken
        /// Tools do not answer: nobody to ask.
        case noTools
        /// It was not taken; worth another try.
        case failed(String)
    }

    private let around: Surroundings
    private let paths: [GuestID: String]
    private var places: [GuestID: HostName]
    private var version: UInt64?
    private var throughHosts = false
    private var note: String?

    init(of guests: [Guest], in around: Surroundings) {
        self.around = around
        paths = Dictionary(uniqueKeysWithValues: guests.map { ($0.id, $0.vmxPath) })
        places = Dictionary(
            uniqueKeysWithValues: guests.compactMap { guest in guest.host.map { (guest.id, $0) } })
    }

    /// What an operator should know of this view, once.
    mutating func takeNote() -> String? {
        defer { note = nil }
        return note
    }

    /// Waits for a change (no longer than to `moment`) and returns what is seen.
    mutating func look(until moment: Duration?) async -> [GuestID: Seen] {
        let atMost = moment.map { max(.milliseconds(1), $0 - around.time.elapsed) }
        let listen = min(around.pace.listen, atMost ?? around.pace.listen)
        let pause = min(around.pace.look, listen)
        if throughHosts { return await lookAtHosts(after: pause) }
        do {
            let inventory = try await around.cluster.inventory(newerThan: version, within: listen)
            version = inventory.version
            var seen: [GuestID: Seen] = [:]
            for guest in inventory.guests {
                seen[guest.id] = Seen(power: guest.power, tools: guest.tools)
                if let host = guest.host { places[guest.id] = host }
            }
            return seen
        } catch {
            if error.isAbsence {
                throughHosts = true
                note = "vCenter is gone (\(error.detail)): guests are stopped through their hosts"
            } else {
                note = "\(error)"
            }
            return await lookAtHosts(after: pause)
        }
    }

    private func lookAtHosts(after pause: Duration) async -> [GuestID: Seen] {
        do { try await around.time.sleep(for: pause) } catch { return [:] }
        let lists = await withTaskGroup(of: [HostGuest].self) { group in
            for (_, host) in around.hosts.sorted(by: { $0.key < $1.key }) {
                group.addTask {
                    // A host that cannot be read is unknown: its guests' own limits decide.
                    do { return try await host.guests() } catch { return [] }
                }
            }
            var all: [HostGuest] = []
            for await list in group { all += list }
            return all
        }
        var byPath: [String: GuestPower] = [:]
        for guest in lists where byPath[guest.vmxPath] != .on {
            byPath[guest.vmxPath] = guest.power
        }
        var seen: [GuestID: Seen] = [:]
        for (id, path) in paths {
            if let power = byPath[path] { seen[id] = Seen(power: power, tools: .unknown) }
        }
        return seen
    }

    func shutDown(_ guest: Guest) async -> Answer {
        await attempt(guest) { cluster throws(ClusterError) in
            try await cluster.shutDown(guest)
        } orOnHost: { host, boot throws(HostError) in
            try await host.shutDown(boot)
        }
    }

    func powerOff(_ guest: Guest) async -> Answer {
        await attempt(guest) { cluster throws(ClusterError) in
            try await cluster.powerOff(guest)
        } orOnHost: { host, boot throws(HostError) in
            try await host.powerOff(boot)
        }
    }

    private func attempt(
        _ guest: Guest,
        _ inCluster: (any ClusterControl) async throws(ClusterError) -> Void,
        orOnHost: (any HostControl, BootGuest) async throws(HostError) -> Void
    ) async -> Answer {
        if !throughHosts {
            do {
                try await inCluster(around.cluster)
                return .taken
            } catch {
                return error.reason == .toolsUnavailable ? .noTools : .failed("\(error)")
            }
        }
        guard let name = places[guest.id], let host = around.hosts[name] else {
            return .failed("its host is not known")
        }
        do {
            try await orOnHost(host, BootGuest(name: guest.name, vmxPath: guest.vmxPath))
            return .taken
        } catch {
            return error.reason == .toolsUnavailable ? .noTools : .failed("\(error)")
        }
    }
}

extension ClusterError {
    /// Whether vCenter as a whole cannot be used, as opposed to one call.
    var isAbsence: Bool {
        switch reason {
        case .unreachable, .starting, .loginRefused, .certificateRefused, .timedOut: true
        case .notPermitted, .notFound, .toolsUnavailable, .wrongState, .refused, .badAnswer: false
        }
    }
}
