import PowerModel

/// What a task on a host shall lead to, seen on the object itself.
struct HostGoal: Sendable {
    /// The properties to look at.
    var paths: [String]
    /// Whether it is so.
    var isReached: @Sendable (ObjectProperties) -> Bool
    /// What keeps it from becoming so where it lasts, e.g. a question that nobody answers.
    var obstacle: @Sendable (ObjectProperties) -> CallFailure? = { _ in nil }
}

extension HostOverSOAP {
    /// Starts a task and looks until its object is as wanted. What the host says of the task is
    /// read only to explain why the object is not: a state lags behind, a task is forgotten, and
    /// being asked for what is already so is a fault (facts/vsphere.md 2.7, 2.13).
    func steer(
        _ method: VimMethod, on object: Reference, to goal: HostGoal, within limit: Duration,
        in session: Session, _ arguments: (inout VimFields) -> Void = { _ in }
    ) async throws(CallFailure) {
        let began = ContinuousClock.now
        let deadline = began + limit
        let task: Reference
        do throws(CallFailure) {
            let reply = try await vim.call(
                method, on: object, in: session, within: min(limits.call, limit), arguments)
            task = try VimClient.returned(reply)
        } catch {
            guard case .fault(let fault) = error else { throw error }
            if goal.isReached(try await look(at: object, goal.paths, in: session)) { return }
            // Asked before, by a call whose answer was lost, the host is at it.
            guard fault.type == "TaskInProgress", let running = fault.fields?["task"]?.reference
            else { throw error }
            task = running
        }
        var pause = Self.firstPause
        var settled = 0
        while true {
            let (now, info) = try await look(at: object, goal.paths, and: task, in: session)
            if goal.isReached(now) { return }
            if ContinuousClock.now - began > Self.obstacleLasts, let obstacle = goal.obstacle(now) {
                throw obstacle
            }
            switch info?["state"]?.text {
            case "error":
                guard let error = info?["error"] else {
                    throw .unreadable("about \(task.id) gives no error for a task that failed")
                }
                throw .fault(VimFault(localized: error))
            case "queued", "running": break
            // Done, or forgotten since: the state follows within a few looks.
            default: settled += 1
            }
            guard settled < Self.settleLooks, ContinuousClock.now + pause < deadline else {
                throw .timedOut(
                    "it is not so \(limit.short) after \(method.rawValue); the task is "
                        + (info?["state"]?.text ?? "forgotten"))
            }
            do { try await Task.sleep(for: pause) } catch {
                throw .timedOut("cancelled while waiting for a task")
            }
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// What is in the way for so long is not gone by itself.
    private static let obstacleLasts: Duration = .seconds(3)
    /// Most tasks on a host take less than a second.
    private static let firstPause: Duration = .milliseconds(100)
    private static let longestPause: Duration = .seconds(1)
    /// How often the object is looked at after its task has ended well: about five seconds.
    private static let settleLooks = 8

    /// The object and its task in one call; no task when the host has forgotten it.
    private func look(
        at object: Reference, _ paths: [String], and task: Reference, in session: Session
    ) async throws(CallFailure) -> (object: ObjectProperties, info: Element?) {
        let choices = [
            PropertyChoice(kind: object.kind, paths: paths),
            PropertyChoice(kind: task.kind, paths: ["info"]),
        ]
        let seen: [ObjectProperties]
        do throws(CallFailure) {
            seen = try await vim.read(
                choices, of: [object, task], in: session, limits: limits.vim)
        } catch {
            guard case .fault(let fault) = error, fault.type == "ManagedObjectNotFound",
                fault.fields?["obj"]?.reference == task
            else { throw error }
            return (try await look(at: object, paths, in: session), nil)
        }
        guard let now = seen.first(where: { $0.reference == object }) else {
            throw .unreadable("says nothing of \(object.id)")
        }
        return (now, seen.first { $0.reference == task }?["info"])
    }
}
