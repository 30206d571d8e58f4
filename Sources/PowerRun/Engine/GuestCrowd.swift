import PowerModel

/// One guest of a phase on its way down or up: what is seen of it goes in, what to do comes out.
protocol GuestOnItsWay: Sendable {
    /// The step that brings it there.
    var step: Step { get }
    /// The guest.
    var guest: Guest { get }

    /// What to do, from what is seen. Absent means unknown, never off.
    /// - Parameter mayBegin: whether the steps it needs are over: before, nothing is asked of it.
    mutating func verdict(
        on seen: GuestView.Seen?, mayBegin: Bool, now: Duration
    ) -> GuestVerdict

    /// A request is made now.
    mutating func begin(_ act: GuestAct, now: Duration)

    /// A request was answered.
    mutating func take(_ answer: GuestView.Answer, of act: GuestAct, now: Duration)
}

/// What to do about one guest.
enum GuestVerdict {
    /// Nothing, until something is seen, or this moment has come.
    case wait(until: Duration?)
    /// Ask for this.
    case act(GuestAct)
    /// Its step is over.
    case over(StepOutcome)
}

/// The guests of one phase: asked side by side, watched together, each at its own limit.
extension Runner {
    /// Brings every guest where its step wants it.
    func bring<One: GuestOnItsWay>(_ guests: [One]) async -> Gaps {
        var crowd = GuestCrowd(guests)
        let view = GuestView(of: guests.map(\.guest), facts: facts, in: around)
        var gaps = Gaps()
        var isStopping = false
        await withTaskGroup(of: CrowdEvent.self) { group in
            if !crowd.isEmpty { group.addTask { .saw(await view.look()) } }
            while !crowd.isEmpty, let event = await group.next() {
                crowd.take(event, now: around.time.elapsed)
                for note in view.takeNotes() { await record(.noted(note)) }
                for (step, outcome) in crowd.takeOutcomes() {
                    gaps.count(outcome)
                    await record(.stepEnded(step, outcome))
                }
                await mindBudgets()
                isStopping = isStopping || control.mustStop
                if isStopping {
                    // What was asked is waited for, so that its answer is not lost; no longer.
                    if crowd.callsUnderWay == 0 { break }
                    continue
                }
                while crowd.callsUnderWay < around.pace.guestsAtOnce,
                    let (guest, step, act) = crowd.takeCall(now: around.time.elapsed)
                {
                    await recordAsk(step, act.words(guest))
                    group.addTask { .heard(guest.id, act, await view.request(act, of: guest)) }
                }
                if case .saw = event { group.addTask { .saw(await view.look()) } }
                if let moment = crowd.takeTimer(
                    now: around.time.elapsed, atMost: around.pace.look)
                {
                    group.addTask { await tick(at: moment) }
                }
            }
            group.cancelAll()
        }
        gaps.unfinished = !crowd.isEmpty
        return gaps
    }

    private func tick(at moment: Duration) async -> CrowdEvent {
        // A wait that is called off is over all the same.
        do { try await around.time.sleep(for: moment - around.time.elapsed) } catch {}
        return .tick(moment)
    }
}

/// What can happen to a crowd.
private enum CrowdEvent: Sendable {
    /// What is seen; nil when the look was called off.
    case saw([GuestID: GuestView.Seen]?)
    case heard(GuestID, GuestAct, GuestView.Answer)
    case tick(Duration)
}

/// Who of a phase's guests is where: every guest is looked at when the inventory changed, and one
/// alone when only that one has news, so that twenty thousand cost no more than they must.
private struct GuestCrowd<One: GuestOnItsWay> {
    private var open: [GuestID: One] = [:]
    /// Those of `open`, in the order of the plan.
    private var inOrder: [GuestID] = []
    private var ids: [StepID: GuestID] = [:]
    private var order: StepOrder
    private var seen: [GuestID: GuestView.Seen] = [:]
    private var hasLooked = false
    private var queue: [GuestID] = []
    private var firstInQueue = 0
    private var waitsForTurn: Set<GuestID> = []
    private var outcomes: [(StepID, StepOutcome)] = []
    /// No later than the first moment at which a limit ends or a request is made again.
    private var nextMoment: Duration?
    private var timers: Set<Duration> = []
    private(set) var callsUnderWay = 0

    init(_ guests: [One]) {
        order = StepOrder(of: guests.map(\.step))
        for one in guests {
            open[one.guest.id] = one
            ids[one.step.id] = one.guest.id
        }
        inOrder = guests.map(\.guest.id)
    }

    var isEmpty: Bool { open.isEmpty }

    mutating func take(_ event: CrowdEvent, now: Duration) {
        switch event {
        case .saw(nil): break
        case .saw(let seen?):
            self.seen = seen
            hasLooked = true
            considerAll(now)
        case .heard(let id, let act, let answer):
            callsUnderWay -= 1
            open[id]?.take(answer, of: act, now: now)
            consider(id, now)
        case .tick(let moment):
            timers.remove(moment)
            considerAll(now)
        }
    }

    private mutating func considerAll(_ now: Duration) {
        nextMoment = nil
        for id in inOrder { consider(id, now) }
        inOrder.removeAll { open[$0] == nil }
    }

    /// Looks at one guest, and at those that its end sets free.
    private mutating func consider(_ id: GuestID, _ now: Duration) {
        // Before the first look nothing is known of anybody.
        guard hasLooked else { return }
        var toConsider = [id]
        while let id = toConsider.popLast() {
            // One that waits for its turn to be asked is looked at when its turn has come.
            guard let step = open[id]?.step.id, !waitsForTurn.contains(id) else { continue }
            switch open[id]?.verdict(on: seen[id], mayBegin: order.mayBegin(step), now: now) {
            case .wait(let moment?): nextMoment = min(nextMoment ?? moment, moment)
            case .wait(nil), nil: break
            case .act:
                queue.append(id)
                waitsForTurn.insert(id)
            case .over(let outcome):
                outcomes.append((step, outcome))
                open[id] = nil
                toConsider += order.end(step).compactMap { ids[$0] }
            }
        }
    }

    mutating func takeOutcomes() -> [(StepID, StepOutcome)] {
        defer { outcomes = [] }
        return outcomes
    }

    /// The next request to be made, if there is any.
    mutating func takeCall(now: Duration) -> (Guest, StepID, GuestAct)? {
        while firstInQueue < queue.count {
            let id = queue[firstInQueue]
            firstInQueue += 1
            waitsForTurn.remove(id)
            // Much may have happened since it was put in the queue.
            guard let one = open[id],
                case .act(let act) = open[id]?.verdict(
                    on: seen[id], mayBegin: order.mayBegin(one.step.id), now: now)
            else {
                consider(id, now)
                continue
            }
            open[id]?.begin(act, now: now)
            callsUnderWay += 1
            // Its limit counts from now on.
            consider(id, now)
            return (one.guest, one.step.id, act)
        }
        queue = []
        firstInQueue = 0
        return nil
    }

    /// The moment of a timer that is to be set: never later than `atMost` from now, so that what is
    /// wanted of the run, and how long guests may take as things stand, is looked at.
    mutating func takeTimer(now: Duration, atMost: Duration) -> Duration? {
        let moment = max(min(nextMoment ?? now + atMost, now + atMost), now + Self.tick)
        if let first = timers.min(), first <= moment { return nil }
        timers.insert(moment)
        return moment
    }

    /// The shortest wait there is: never none, so that time goes on.
    private static var tick: Duration { .milliseconds(1) }
}
