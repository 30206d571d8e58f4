import PowerModel

/// A guest of the snapshot that is not seen to be back yet: started on the host where it is now.
struct GuestComingUp: GuestOnItsWay {
    let step: Step
    let guest: Guest
    private let planned: HostName
    private let terms: StartTerms
    private let pace: EnginePace
    /// Until when "on" does not mean that it stays on.
    private let staysOnAt: Duration

    /// When it was allowed to begin, or was first asked.
    private var since: Duration?
    private var tries = 0
    /// Those of them that do not count.
    private var triesForNothing = 0
    private var isCalling = false
    private var wasTaken = false
    private var retryAt: Duration?
    private var problem = "no inventory shows it"
    private var replies = ReplyDesk()
    /// When it was first seen on to stay on, and when its Tools answered after that.
    private var onSince: Duration?
    private var readySince: Duration?

    init(
        _ step: Step, _ guest: Guest, on planned: HostName, _ terms: StartTerms,
        pace: EnginePace, now: Duration
    ) {
        self.step = step
        self.guest = guest
        self.planned = planned
        self.terms = terms
        self.pace = pace
        staysOnAt = now + terms.mayStopFor
    }

    mutating func verdict(
        on seen: GuestView.Seen?, mayBegin: Bool, now: Duration
    ) -> GuestVerdict {
        if !mayBegin { return .wait(until: nil) }
        if let host = seen?.lostWith, seen?.power != .on {
            return .over(.gaveUp("its host \(host) is not back"))
        }
        let began = since ?? now
        since = began
        let end = began + step.limit
        switch seen?.power {
        case .on:
            if tries == 0, now < staysOnAt {
                problem = "it was asked to shut down and may still do so"
                return now >= end ? .over(.gaveUp(problem)) : .wait(until: min(staysOnAt, end))
            }
            return settle(seen?.tools ?? .unknown, now)
        case .off, .suspended:
            onSince = nil
            readySince = nil
            // While it waits for an answer, the call that starts it does not return.
            if now < end, let reply = replies.verdict(on: seen?.reply, now: now) { return reply }
            return start(on: seen?.host ?? planned, before: end, now)
        case .unknown, nil:
            if let seen { problem = seen.isUnusable ? Self.broken : "its host is not connected" }
            return now >= end ? .over(.gaveUp(problem)) : .wait(until: end)
        }
    }

    /// Nothing can be asked of such a guest (facts/vsphere.md 2.12, 4.4).
    private static let broken =
        "vCenter shows it as inaccessible or invalid: its storage is not back, or it is encrypted and "
        + "its host lacks its key; then unlock it in vCenter when the key provider answers"

    /// On: over when its Tools answer too, where they are waited for, and what comes after it has
    /// waited as long as it is to.
    private mutating func settle(_ tools: ToolsState, _ now: Duration) -> GuestVerdict {
        let on = onSince ?? now
        onSince = on
        if let limit = terms.toolsWithin, readySince == nil {
            guard tools == .running || tools == .busy else {
                if now < on + limit { return .wait(until: on + limit) }
                return .over(
                    .gaveUp("it is on, but its Tools did not answer within \(limit.inSeconds) s"))
            }
        }
        let ready = readySince ?? now
        readySince = ready
        if tries == 0 { return .over(.done(.already)) }
        return now < ready + terms.delay
            ? .wait(until: ready + terms.delay) : .over(.done(.asked))
    }

    private func start(on host: HostName, before end: Duration, _ now: Duration) -> GuestVerdict {
        if isCalling { return .wait(until: nil) }
        // One that waited long for its turn is still tried once.
        if tries > 0, now >= end { return .over(.gaveUp(problem)) }
        if let retryAt, now < retryAt { return .wait(until: min(retryAt, end)) }
        if tries - triesForNothing < pace.startTries { return .act(.powerOn(host)) }
        // What was taken may only be slow to be seen.
        return wasTaken
            ? .wait(until: end) : .over(.gaveUp("started \(tries) times: \(problem)"))
    }

    mutating func begin(_ act: GuestAct, now: Duration) {
        if case .reply(let reply) = act { return replies.begin(reply) }
        if tries == 0 { since = now }
        tries += 1
        isCalling = true
    }

    mutating func take(_ answer: GuestView.Answer, of act: GuestAct, now: Duration) {
        if case .reply = act { return replies.take(answer, now: now, pace: pace) }
        isCalling = false
        retryAt = now + pace.startAgainAfter
        wasTaken = false
        switch answer {
        case .taken:
            wasTaken = true
            problem = "it was started, but is not seen on"
        // Hosts come back one by one, and an operation under way ends: its limit decides.
        case .later(let why):
            problem = why
            triesForNothing += 1
        case .cannot(let why), .failed(let why): problem = why
        }
    }
}
