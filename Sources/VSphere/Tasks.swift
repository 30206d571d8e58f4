import PowerModel

/// How far a task must be.
enum TaskProgress {
    /// vCenter is at it, or has done it.
    case accepted
    /// Done.
    case done
}

extension VimClient {
    /// Starts a task and returns when it is as far as wanted.
    ///
    /// - Throws: `.fault` both for a call that is refused and for a task that fails: servers
    ///   differ in which of the two they choose (facts/vsphere.md 2.13).
    func runTask(
        _ method: VimMethod, on object: Reference, until wanted: TaskProgress = .done,
        in session: Session, within limit: Duration, limits: VCenterLimits,
        _ arguments: (inout VimFields) -> Void = { _ in }
    ) async throws(CallFailure) {
        let deadline = ContinuousClock.now + limit
        let reply = try await call(
            method, on: object, in: session, within: min(limits.call, limit), arguments)
        let task = try Self.returned(reply)
        var pause = Self.firstPause
        while true {
            let info = try await taskInfo(task, in: session, limits: limits)
            switch info["state"]?.text {
            case "success": return
            case "running" where wanted == .accepted: return
            case "error":
                guard let error = info["error"] else {
                    throw .unreadable("about \(task.id) gives no error for a task that failed")
                }
                throw .fault(VimFault(localized: error))
            case "queued", "running": break
            case let other:
                throw .unreadable("about \(task.id) has the state \(other ?? "nil")")
            }
            guard ContinuousClock.now + pause < deadline else {
                throw .timedOut(
                    "the task \(task.id) (\(method.rawValue)) is still \(info["state"]?.text ?? "") after "
                        + limit.short)
            }
            try await sleep(pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Most tasks on an idle vCenter take less than half a second.
    private static let firstPause: Duration = .milliseconds(100)
    /// A hundred guests at once then cost vCenter a hundred small reads a second.
    private static let longestPause: Duration = .seconds(1)

    /// `TaskInfo`.
    func taskInfo(
        _ task: Reference, in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> Element {
        let choice = PropertyChoice(kind: "Task", paths: ["info"])
        let objects = try await read([choice], of: [task], in: session, limits: limits)
        guard let info = objects.first(where: { $0.reference == task })?["info"] else {
            throw .unreadable("about \(task.id) says nothing of the task")
        }
        return info
    }

    func sleep(_ pause: Duration) async throws(CallFailure) {
        do {
            try await Task.sleep(for: pause)
        } catch {
            throw .timedOut("cancelled while waiting for vCenter")
        }
    }
}
