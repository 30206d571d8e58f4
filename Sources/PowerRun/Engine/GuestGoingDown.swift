import PowerModel

/// A guest of a tier that is not down yet.
struct GuestGoingDown: GuestOnItsWay {
    let step: Step
    let guest: Guest
    private let escalation: Escalation
    private let pace: EnginePace
    /// Whether an earlier try of the run may have asked it for something.
    private let wasAskedBefore: Bool
    /// When its time ends, as things stand, given when its own limit does (nil before it was
    /// asked).
    private let timeEnds: @Sendable (Duration?) -> Duration?

    private enum Stage {
        case untouched, asked, suspending, forced
    }

    private var stage = Stage.untouched
    /// When the stage began.
    private var since: Duration = .zero
    /// Whether a request of this stage is not answered yet.
    private var isCalling = false
    /// When a request that was not taken is made again.
    private var retryAt: Duration?
    /// Why there is nobody to ask: straight to the policy.
    private var cannotBeAsked: String?
    private var problem: String?
    private var replies = ReplyDesk()

    init(
        _ step: Step, _ guest: Guest, _ escalation: Escalation, askedBefore: Bool,
        pace: EnginePace, timeEnds: @escaping @Sendable (Duration?) -> Duration?
    ) {
        self.step = step
        self.guest = guest
        self.escalation = escalation
        wasAskedBefore = askedBefore
        self.pace = pace
        self.timeEnds = timeEnds
    }

    mutating func verdict(
        on seen: GuestView.Seen?, mayBegin: Bool, now: Duration
    ) -> GuestVerdict {
        switch seen?.power ?? .unknown {
        case .off: return .over(.done(means))
        case .suspended:
            let isOurs = stage == .suspending || (wasAskedBefore && escalation == .suspend)
            return .over(isOurs ? .done(.suspended) : .left("it is suspended"))
        case .on, .unknown:
            if !mayBegin { return .wait(until: nil) }
            // What waits for an answer follows no request.
            return replies.verdict(on: seen?.reply, now: now) ?? push(seen, now)
        }
    }

    private var means: StepMeans {
        switch stage {
        case .forced: .forced
        case .asked, .suspending: .asked
        case .untouched: wasAskedBefore ? .asked : .already
        }
    }

    private func push(_ seen: GuestView.Seen?, _ now: Duration) -> GuestVerdict {
        switch stage {
        case .untouched, .asked:
            let isUntouched = stage == .untouched
            if let cannotBeAsked { return escalate(because: cannotBeAsked) }
            if isUntouched, seen?.tools == .absent { return escalate(because: "no Tools to ask") }
            let end = timeEnds(isUntouched ? nil : since + step.limit)
            if let end, now >= end {
                return escalate(because: problem ?? "still on at its limit")
            }
            return isUntouched ? .act(.shutDown) : again(.shutDown, before: end, now)
        case .suspending:
            let end = since + pace.suspendLimit(memoryMiB: guest.memoryMiB)
            if now >= end || problem != nil { return .act(.powerOff) }
            return .wait(until: end)
        case .forced:
            let end = since + pace.forcedOff
            if now >= end {
                let why = problem.map { ": \($0)" } ?? ""
                return .over(.gaveUp("its power was cut, but it is not seen off\(why)"))
            }
            return again(.powerOff, before: end, now)
        }
    }

    /// Makes a request again that was not taken, when it is time to.
    private func again(_ act: GuestAct, before end: Duration?, _ now: Duration) -> GuestVerdict {
        guard let retryAt, !isCalling else { return .wait(until: end) }
        return now >= retryAt ? .act(act) : .wait(until: min(retryAt, end ?? retryAt))
    }

    private func escalate(because why: String) -> GuestVerdict {
        switch escalation {
        case .powerOff: .act(.powerOff)
        case .suspend: .act(.suspend)
        case .leave: .over(.left("\(why): left to go down with its host"))
        }
    }

    mutating func begin(_ act: GuestAct, now: Duration) {
        if case .reply(let reply) = act { return replies.begin(reply) }
        let next = Self.stage(of: act)
        if next != stage {
            stage = next
            since = now
            problem = nil
        }
        isCalling = true
        retryAt = nil
    }

    mutating func take(_ answer: GuestView.Answer, of act: GuestAct, now: Duration) {
        if case .reply = act {
            if case .failed(let why) = answer { problem = why }
            return replies.take(answer, now: now, pace: pace)
        }
        // A late answer to what is no longer wanted.
        guard Self.stage(of: act) == stage else { return }
        isCalling = false
        switch answer {
        case .taken: problem = nil
        case .cannot(let why) where stage == .asked: cannotBeAsked = why
        case .cannot(let why), .later(let why), .failed(let why):
            problem = why
            retryAt = now + pace.look
        }
    }

    private static func stage(of act: GuestAct) -> Stage {
        switch act {
        case .shutDown, .powerOn, .reply: .asked
        case .suspend: .suspending
        case .powerOff: .forced
        }
    }
}
