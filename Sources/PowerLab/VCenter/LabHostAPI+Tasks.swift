import PowerModel
import PowerRun

/// The methods that give back a task.
extension LabHostAPI {
    func startTask(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue? {
        if call.method == "CancelTask" {
            try cancelTask(call.receiver)
            return nil
        }
        let snapshot = reader.tree.snapshot
        if call.receiver.type == "VirtualMachine",
            let running = tasks.values.first(where: { $0.isRunning && $0.entity == call.receiver })
        {
            throw LabVCenterServer.inProgress(running)
        }
        let task = LabTask(
            id: "haTask-\(call.receiver.id)-\(nextNumber())", work: try work(of: call, snapshot),
            entity: call.receiver,
            entityName: reader.properties(of: call.receiver)?["name"]?.text ?? "",
            userName: sessions[key]?.userName ?? "", queued: snapshot.wall)
        tasks[task.id] = task
        taskRuns[task.id] = Task { [weak self, world] in
            _ = await world.change(after: .max, within: LabVCenterServer.taskTime)
            await self?.run(task)
        }
        return .reference(task.reference)
    }

    private func work(
        of call: VimCall, _ snapshot: LabSnapshot
    ) throws(VimFault) -> LabTask.Work {
        switch call.method {
        case "PowerOffVM_Task": return .powerOff(try guest(call.receiver, snapshot))
        case "SuspendVM_Task": return .suspend(try guest(call.receiver, snapshot))
        case "PowerOnVM_Task": return .powerOn(try guest(call.receiver, snapshot), host)
        case "EnterMaintenanceMode_Task":
            guard call["evacuatePoweredOffVms"] == nil else {
                throw VimFault("NotSupported", "evacuatePoweredOffVms is for vCenter only.")
            }
            let seconds = call["timeout"]?.number ?? 0
            return .enterMaintenance(host, limit: seconds > 0 ? .seconds(seconds) : nil)
        case "ExitMaintenanceMode_Task": return .exitMaintenance(host)
        case "ShutdownHost_Task":
            return .shutDownHost(host, force: call["force"]?.flag == true)
        case "RegisterVM_Task": return .register(call["path"]?.text ?? "", host)
        default:
            throw VimFault(
                "MethodNotFound", "there is no method \(call.method)",
                ["receiver": .reference(call.receiver), "method": .string(call.method)])
        }
    }

    private func cancelTask(_ reference: VimReference) throws(VimFault) {
        guard var task = tasks[reference.id] else { throw .notFound(reference) }
        guard task.isRunning else {
            throw VimFault("InvalidState", "The task has already ended.")
        }
        task.state = .error(VimFault("RequestCanceled", "The task was canceled by a user."))
        tasks[reference.id] = task
        taskRuns.removeValue(forKey: reference.id)?.cancel()
    }

    /// Does a task's work, unless it was canceled or lost meanwhile.
    private func run(_ task: LabTask) async {
        guard tasks[task.id]?.isRunning == true else { return }
        var state = LabTask.State.success
        do { try await perform(task) } catch { state = .error(error) }
        taskRuns[task.id] = nil
        guard tasks[task.id]?.isRunning == true else { return }
        tasks[task.id]?.state = state
        tasks[task.id]?.completed = world.hostSnapshot(host).wall
    }

    private func perform(_ task: LabTask) async throws(VimFault) {
        let entity = task.entity
        switch task.work {
        case .powerOff(let id):
            do { try world.powerOffGuest(id) } catch {
                throw LabVCenterServer.fault(error, entity, wanted: .off)
            }
        case .suspend(let id):
            do { try world.suspendGuest(id) } catch {
                throw LabVCenterServer.fault(error, entity, wanted: .suspended)
            }
        case .powerOn(let id, _):
            guard try await isAnswered(task) else { return }
            do { try world.powerOnGuest(id, on: host, by: host.rawValue) } catch {
                throw LabVCenterServer.fault(error, entity, wanted: .on)
            }
        case .enterMaintenance(_, let limit): try await enterMaintenance(limit, task)
        case .exitMaintenance:
            guard world.inMaintenance(host), world.setMaintenance(host, on: false) else {
                throw VimFault("InvalidState", "The host is not in maintenance mode.")
            }
        case .shutDownHost(_, let force):
            guard force || world.inMaintenance(host) else {
                throw VimFault("InvalidState", "The host is not in maintenance mode.")
            }
            world.shutDownHost(host)
        case .register(let path, _):
            try LabVCenterServer.register(path, on: host, in: world)
        case .reconfigure, .powerOnMany, .powerVSAN:
            throw VimFault("NotSupported", "A host has no cluster.")
        }
    }

    /// Waits while a guest asks a question, until it is answered elsewhere. False when the task was
    /// canceled.
    private func isAnswered(_ task: LabTask) async throws(VimFault) -> Bool {
        while tasks[task.id]?.isRunning == true, !Task.isCancelled {
            let snapshot = world.hostSnapshot(host)
            guard let guest = snapshot.guest(task.entity) else { throw .notFound(task.entity) }
            if !guest.hasQuestion || guest.power == .on { return true }
            _ = await world.change(after: .max, within: LabVCenterServer.lookEvery)
        }
        return false
    }

    /// Waits until no guest is on.
    private func enterMaintenance(_ limit: Duration?, _ task: LabTask) async throws(VimFault) {
        if world.inMaintenance(host) {
            throw VimFault("InvalidState", "The host is in maintenance mode already.")
        }
        let began = ContinuousClock.now
        while tasks[task.id]?.isRunning == true, !Task.isCancelled {
            let seen = world.version
            if world.setMaintenance(host, on: true) { return }
            if let limit, ContinuousClock.now - began >= limit {
                throw VimFault("Timedout", "Operation timed out.")
            }
            _ = await world.change(after: seen, within: LabVCenterServer.lookEvery)
        }
    }
}
