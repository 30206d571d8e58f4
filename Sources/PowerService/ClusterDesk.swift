public import PowerModel

/// What the daemon is to do next with one cluster. Pure: wishes go in, jobs come out, one at a
/// time; no clock, no I/O.
///
/// A hold lets a wish wait; an abort lets it fall until the mains have been back. Neither touches a
/// run that goes on.
public struct ClusterDesk: Sendable {
    /// Something to carry out.
    public enum Job: Hashable, Sendable {
        /// Take the cluster, or a part of it, down for this reason.
        case down(PlanScope, because: String)
        /// Bring back what an outage took down.
        case up
    }

    /// What became of a wish.
    public enum Fate: Hashable, Sendable {
        /// It is carried out, now or after what goes on.
        case accepted
        /// It waits for the end of a hold.
        case held
        /// It is dropped: the run of this outage was aborted.
        case aborted
        /// What goes on does it already.
        case alreadySo
    }

    /// What to tell the run that goes on.
    public enum Signal: Hashable, Sendable {
        /// The mains failed again before it was reversed.
        case goOn
        /// The mains are back.
        case reverse
        /// Something more urgent waits for its end.
        case stop
    }

    /// The job that is being carried out.
    public private(set) var running: Job?
    /// What comes after it, in order.
    public private(set) var waiting: [Job] = []
    /// What waits for the end of a hold, in order.
    public private(set) var held: [Job] = []
    /// Whether new jobs wait.
    public private(set) var isHeld = false
    /// Whether the run of this outage was aborted: nothing goes down until the mains were back.
    public private(set) var isAborted = false
    /// What is to be done once more if the running job ends reversed after all.
    private var again: Job?
    /// Whether a reversed run is still to be undone.
    private var needsUndo = false
    /// Whether the mains were back since the running job began.
    private var isRelieved = false

    /// An empty desk.
    public init() {}

    // MARK: Wishes

    /// The cluster, or a part of it, loses its power.
    public mutating func takeDown(
        _ scope: PlanScope, because reason: String
    ) -> (fate: Fate, signal: Signal?) {
        let job = Job.down(scope, because: reason)
        if isAborted { return (.aborted, nil) }
        if isHeld {
            held = Self.adding(job, to: held)
            return (.held, nil)
        }
        return accept(job)
    }

    /// Goes on with a run that was begun before: no hold is asked.
    public mutating func goOn(_ scope: PlanScope, because reason: String) {
        _ = accept(.down(scope, because: reason))
    }

    /// Enough feeds have their mains back: what has not begun is not begun.
    public mutating func relieve() -> Signal? {
        isAborted = false
        held.removeAll()
        waiting.removeAll(where: \.isDown)
        again = nil
        isRelieved = true
        return running?.isDown == true ? .reverse : nil
    }

    /// The mains have been back for long enough. A hold lets this wait too, unless a run that was
    /// begun and reversed is to be undone: that would leave the cluster without its automation.
    public mutating func takeUp() -> Fate {
        isAborted = false
        if isHeld, !needsUndo, running == nil {
            held = [.up]
            return .held
        }
        waiting = [.up]
        return .accepted
    }

    /// Begins or ends a hold; what waited for its end is accepted now.
    public mutating func setHold(_ isOn: Bool) -> (released: [Job], signal: Signal?) {
        isHeld = isOn
        if isOn { return ([], nil) }
        let released = held
        held.removeAll()
        var signal: Signal?
        for job in released { signal = accept(job).signal ?? signal }
        return (released, signal)
    }

    /// The run of this outage was aborted by a person.
    public mutating func abort() {
        isAborted = true
        again = nil
        held.removeAll()
        waiting.removeAll()
    }

    /// Takes an abort back: the mains were there, or it came too late.
    public mutating func forgetAbort() { isAborted = false }

    /// What an aborted run did is to be undone, whatever the mains and holds say.
    public mutating func undo() { waiting = [.up] }

    // MARK: Jobs

    /// The next job, which is running from now on; nil when one runs or none waits.
    public mutating func begin() -> Job? {
        guard running == nil, !waiting.isEmpty else { return nil }
        running = waiting.removeFirst()
        isRelieved = false
        return running
    }

    /// The running job is over.
    /// - Parameter result: how its run ended; nil when none was begun. A cluster that could not
    ///   begin to go down is tried again as long as the mains are not back.
    public mutating func ended(_ result: RunResult?) {
        let isOpen = result == .reversed || result == .interrupted
        if isOpen, let again { waiting = Self.adding(again, to: waiting) }
        if result == nil, !isRelieved, !isAborted, let running, running.isWholeDown {
            waiting = Self.adding(running, to: waiting)
        }
        needsUndo = running?.isDown == true && result == .reversed
        running = nil
        again = nil
    }

    /// Whether the whole cluster is going down, or about to.
    public var isGoingDown: Bool {
        ([running].compactMap(\.self) + waiting).contains(where: \.isWholeDown)
    }

    private mutating func accept(_ job: Job) -> (fate: Fate, signal: Signal?) {
        guard let running else {
            waiting = Self.adding(job, to: waiting)
            return (.accepted, nil)
        }
        if running.covers(job) {
            // It may have been told to reverse, and may have heeded it already.
            again = job
            return (.alreadySo, running.isDown ? .goOn : nil)
        }
        waiting = Self.adding(job, to: waiting)
        let isUrgent = job.isWholeDown || (job.isDown && running == .up)
        return (.accepted, isUrgent ? .stop : nil)
    }

    /// A list of jobs with one more: going down drops every way back, the whole drops its parts.
    private static func adding(_ job: Job, to jobs: [Job]) -> [Job] {
        guard job.isDown else { return [job] }
        let others = jobs.filter(\.isDown)
        if others.contains(where: { $0.covers(job) }) { return others }
        return others.filter { !job.covers($0) } + [job]
    }
}

extension ClusterDesk.Job {
    /// Whether it takes anything down.
    public var isDown: Bool {
        if case .down = self { true } else { false }
    }

    /// Whether it takes the whole cluster down.
    public var isWholeDown: Bool {
        if case .down(.cluster, _) = self { true } else { false }
    }

    /// Whether another job is done with this one.
    fileprivate func covers(_ other: Self) -> Bool {
        switch (self, other) {
        case (.up, .up), (.down(.cluster, _), .down): true
        case (.down(.tiers(let all), _), .down(.tiers(let some), _)):
            Set(some).isSubset(of: all)
        case (.down(.hosts(let all), _), .down(.hosts(let some), _)):
            Set(some).isSubset(of: all)
        default: false
        }
    }
}
