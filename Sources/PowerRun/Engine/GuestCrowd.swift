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
        if guests.isEmpty { return Gaps() }
        var crowd = GuestCrowd(guests)
        let view = GuestView(of: guests.map(\.guest), facts: facts, in: around)
        var gaps = Gaps()
        var isStopping = false
        await withTaskGroup(of: CrowdEvent.self) { group in
            // Before the first look there is nothing else to wait for.
            var next: CrowdEvent? = .saw(await view.look())
            while !crowd.isEmpty, let event = next {
                crowd.take(event, now: around.time.elapsed)
                for note in view.takeNotes() { await record(.noted(note)) }
                await recordOutcomes(of: &crowd, in: &gaps)
                if let review = budgetReview() { await enact(review) }
                isStopping = isStopping || control.mustStop
                if isStopping {
                    // What was asked is waited for, so that its answer is not lost; no longer.
                    if crowd.callsUnderWay == 0 { break }
                    next = await group.next()
                    continue
                }
                while crowd.callsUnderWay < around.pace.guestsAtOnce,
                    let (number, act) = crowd.takeCall(now: around.time.elapsed)
                {
                    await recordAsk(guests[number].step.id, act.words(guests[number].guest))
                    group.addTask { .heard(number, act, await view.request(act, of: number)) }
                }
                // A budget that was cut ends some whose turn had come; they may be the last.
                await recordOutcomes(of: &crowd, in: &gaps)
                if crowd.isEmpty { break }
                if case .saw = event { group.addTask { .saw(await view.look()) } }
                if let moment = crowd.takeTimer(
                    now: around.time.elapsed, atMost: around.pace.look)
                {
                    group.addTask { await self.tick(at: moment) }
                }
                next = await group.next()
            }
            group.cancelAll()
        }
        gaps.unfinished = !crowd.isEmpty
        return gaps
    }

    private func recordOutcomes<One: GuestOnItsWay>(
        of crowd: inout GuestCrowd<One>, in gaps: inout Gaps
    ) async {
        for (step, outcome) in crowd.takeOutcomes() {
            gaps.count(outcome)
            await record(.stepEnded(step, outcome))
        }
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
    case saw([GuestView.Seen?]?)
    /// A request to the guest with this number was answered.
    case heard(Int, GuestAct, GuestView.Answer)
    case tick(Duration)
}

/// Who of a phase's guests is where, each by its number in the plan: every guest is looked at when
/// the inventory changed, and one alone when only that one has news, so that twenty thousand cost
/// no more than they must.
private struct GuestCrowd<One: GuestOnItsWay> {
    /// Those whose steps are not over.
    private var open: [One?]
    private var openCount: Int
    private var seen: [GuestView.Seen?]
    private var hasLooked = false
    private var order: NeedOrder
    /// Those that are to be asked for something, in order.
    private var queue: [Int] = []
    private var firstInQueue = 0
    private var isInQueue: [Bool]
    private var outcomes: [(StepID, StepOutcome)] = []
    /// No later than the first moment at which a limit ends or a request is made again.
    private var nextMoment: Duration?
    private var timers: Set<Duration> = []
    private(set) var callsUnderWay = 0

    init(_ guests: [One]) {
        open = guests
        openCount = guests.count
        seen = Array(repeating: nil, count: guests.count)
        isInQueue = Array(repeating: false, count: guests.count)
        order = NeedOrder(of: guests.map { ($0.step.id, $0.step.needs) })
        queue.reserveCapacity(guests.count)
        outcomes.reserveCapacity(guests.count)
    }

    var isEmpty: Bool { openCount == 0 }

    mutating func take(_ event: CrowdEvent, now: Duration) {
        switch event {
        case .saw(nil): break
        case .saw(let seen?):
            self.seen = seen
            hasLooked = true
            considerAll(now)
        case .heard(let number, let act, let answer):
            callsUnderWay -= 1
            open[number]?.take(answer, of: act, now: now)
            consider(number, now)
        case .tick(let moment):
            timers.remove(moment)
            considerAll(now)
        }
    }

    private mutating func considerAll(_ now: Duration) {
        nextMoment = nil
        for number in open.indices { consider(number, now) }
    }

    /// Looks at one guest, and at those that its end sets free.
    private mutating func consider(_ number: Int, _ now: Duration) {
        // Before the first look nothing is known of anybody.
        guard hasLooked else { return }
        var freed: [Int] = []
        var next: Int? = number
        while let number = next {
            // One that waits for its turn to be asked is looked at when its turn has come.
            if !isInQueue[number], let verdict = verdict(on: number, now) {
                switch verdict {
                case .wait(let moment?): nextMoment = min(nextMoment ?? moment, moment)
                case .wait(nil): break
                case .act:
                    queue.append(number)
                    isInQueue[number] = true
                case .over(let outcome): freed += end(number, outcome)
                }
            }
            next = freed.popLast()
        }
    }

    private mutating func verdict(on number: Int, _ now: Duration) -> GuestVerdict? {
        open[number]?.verdict(on: seen[number], mayBegin: order.mayBegin(number), now: now)
    }

    /// Takes in that a guest's step is over; returns those that this sets free.
    private mutating func end(_ number: Int, _ outcome: StepOutcome) -> [Int] {
        guard let step = open[number]?.step.id else { return [] }
        open[number] = nil
        openCount -= 1
        outcomes.append((step, outcome))
        return order.end(number)
    }

    mutating func takeOutcomes() -> [(StepID, StepOutcome)] {
        if outcomes.isEmpty { return [] }
        defer { outcomes = [] }
        return outcomes
    }

    /// The next request to be made, if there is any.
    mutating func takeCall(now: Duration) -> (Int, GuestAct)? {
        while firstInQueue < queue.count {
            let number = queue[firstInQueue]
            firstInQueue += 1
            isInQueue[number] = false
            // Much may have happened since it was put in the queue.
            guard case .act(let act) = verdict(on: number, now) else {
                consider(number, now)
                continue
            }
            open[number]?.begin(act, now: now)
            callsUnderWay += 1
            // Its limit counts from now on.
            consider(number, now)
            return (number, act)
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
