import PowerModel
import PowerRun

/// The methods that give back a task.
extension LabVCenterServer {
    /// How long a task runs before it does what it is for: long enough to be seen running.
    static let taskTime: Duration = .milliseconds(100)

    /// Starts a task; a wrong state is the task's error, not the call's (facts/vsphere.md 2.13).
    func startTask(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue? {
        if call.method == "CancelTask" {
            try cancelTask(call.receiver)
            return nil
        }
        let snapshot = reader.tree.snapshot
        if call.receiver.type == "VirtualMachine", let running = task(of: call.receiver) {
            throw LabVCenterServer.inProgress(running)
        }
        return start(try work(of: call, snapshot), on: call.receiver, key, reader)
    }

    /// Starts a task of a session's user.
    func start(
        _ work: LabTask.Work, on entity: VimReference, _ key: String, _ reader: LabPropertyReader
    ) -> VimValue {
        let task = begin(
            work, on: entity, named: reader.properties(of: entity)?["name"]?.text ?? "",
            for: sessions[key]?.userName ?? "", reader.tree.snapshot)
        return .reference(task.reference)
    }

    /// Starts a task.
    func begin(
        _ work: LabTask.Work, on entity: VimReference, named name: String, for user: String,
        _ snapshot: LabSnapshot
    ) -> LabTask {
        let task = LabTask(
            id: "task-\(nextNumber())", work: work, entity: entity, entityName: name,
            userName: user, queued: snapshot.wall)
        tasks[task.id] = task
        revision += 1
        taskRuns[task.id] = Task { [weak self, world] in
            _ = await world.change(after: .max, within: LabVCenterServer.taskTime)
            await self?.run(task)
        }
        return task
    }

    /// Returns when a task has ended, or nobody waits for it any more.
    func untilEnded(_ task: LabTask) async {
        await taskRuns[task.id]?.value
    }

    private func work(
        of call: VimCall, _ snapshot: LabSnapshot
    ) throws(VimFault) -> LabTask.Work {
        func guest() throws(VimFault) -> GuestID {
            guard let guest = snapshot.guest(call.receiver) else { throw .notFound(call.receiver) }
            return guest.spec.id
        }
        func host(_ reference: VimReference) throws(VimFault) -> HostName {
            guard let host = snapshot.host(reference) else { throw .notFound(reference) }
            return host.name
        }
        switch call.method {
        case "PowerOffVM_Task": return .powerOff(try guest())
        case "SuspendVM_Task": return .suspend(try guest())
        case "PowerOnMultiVM_Task": return .powerOnMany(try powerOnMany(call, snapshot))
        case "PowerOnVM_Task":
            guard let wanted = call["host"]?.reference else { return .powerOn(try guest(), nil) }
            return .powerOn(try guest(), try host(wanted))
        case "ReconfigureComputeResource_Task":
            guard let spec = call["spec"]?.object else { throw .invalidRequest("no spec") }
            return .reconfigure(spec, modify: call["modify"]?.flag == true)
        case "EnterMaintenanceMode_Task":
            let seconds = call["timeout"]?.number ?? 0
            return .enterMaintenance(
                try host(call.receiver), limit: seconds > 0 ? .seconds(seconds) : nil)
        case "ExitMaintenanceMode_Task": return .exitMaintenance(try host(call.receiver))
        case "ShutdownHost_Task":
            return .shutDownHost(try host(call.receiver), force: call["force"]?.flag == true)
        case "RegisterVM_Task":
            guard let wanted = call["host"]?.reference else {
                throw .invalidArgument("host", "The host is not given.")
            }
            return .register(call["path"]?.text ?? "", try host(wanted))
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
        revision += 1
    }

    /// Does a task's work, unless it was canceled or lost meanwhile.
    private func run(_ task: LabTask) async {
        guard tasks[task.id]?.isRunning == true else { return }
        var state = LabTask.State.success
        var result: VimValue?
        do { result = try await perform(task) } catch { state = .error(error) }
        let snapshot = world.vcenterSnapshot()
        taskRuns[task.id] = nil
        guard tasks[task.id]?.isRunning == true else { return }
        tasks[task.id]?.state = state
        tasks[task.id]?.result = result
        tasks[task.id]?.completed = snapshot.wall
        revision += 1
    }

    /// Does a task's work; gives back its result, where it has one.
    private func perform(_ task: LabTask) async throws(VimFault) -> VimValue? {
        let snapshot = world.vcenterSnapshot()
        switch task.work {
        case .powerOnMany(let many):
            return try await powerOn(many, snapshot)
        case .powerOff(let id):
            if try guest(task.entity, snapshot).spec.hangsAtPowerOff {
                await untilOff(task)
                return nil
            }
            do { try world.powerOffGuest(id) } catch {
                throw LabVCenterServer.fault(error, task.entity, wanted: .off)
            }
        case .suspend(let id):
            _ = try guest(task.entity, snapshot)
            do { try world.suspendGuest(id) } catch {
                throw LabVCenterServer.fault(error, task.entity, wanted: .suspended)
            }
        case .powerOn(let id, let host):
            let guest = try guest(task.entity, snapshot)
            try LabVCenterServer.reach(host ?? guest.host, snapshot)
            await untilAnswered(task)
            do { try world.powerOnByVCenter(id, on: host) } catch {
                throw LabVCenterServer.fault(error, task.entity, wanted: .on)
            }
        case .reconfigure(let spec, let modify): try await reconfigure(spec, modify: modify)
        case .enterMaintenance(let host, let limit):
            try await enterMaintenance(host, limit, task, snapshot)
        case .exitMaintenance(let host):
            try LabVCenterServer.reach(host, snapshot)
            guard snapshot.host(host)?.inMaintenance == true,
                world.setMaintenance(host, on: false)
            else { throw VimFault("InvalidState", "The host is not in maintenance mode.") }
        case .shutDownHost(let host, let force):
            try LabVCenterServer.reach(host, snapshot)
            guard force || snapshot.host(host)?.inMaintenance == true else {
                throw VimFault("InvalidState", "The host is not in maintenance mode.")
            }
            world.shutDownHost(host)
        case .powerVSAN(let on):
            if let why = world.turn({ $0.powerVSAN(on) }) { throw VimFault("VimFault", why) }
        case .register(let path, let host):
            try LabVCenterServer.reach(host, snapshot)
            try LabVCenterServer.register(path, on: host, in: world)
        }
        return nil
    }

    /// Registers a guest by its file.
    static func register(_ path: String, on host: HostName, in world: LabWorld) throws(VimFault) {
        if let there = world.rows(on: host).first(where: { $0.vmxPath == path }) {
            throw VimFault(
                "AlreadyExists", "The specified key, name, or identifier already exists.",
                ["name": .string(String(there.vmid))])
        }
        do { try world.registerGuest(at: path, on: host) } catch {
            guard case .failed(let why) = error else {
                throw VimFault("NotFound", "The object or item referred to could not be found.")
            }
            throw VimFault("FileLocked", why, ["file": .string(path)])
        }
    }

    /// While a guest waits for an answer, the task that starts it does not go on.
    private func untilAnswered(_ task: LabTask) async {
        await wait(task) { $0.guest(task.entity)?.hasQuestion != true }
    }

    /// A guest whose power-off hangs: the task ends when somebody else has ended the guest.
    private func untilOff(_ task: LabTask) async {
        await wait(task) { $0.guest(task.entity)?.power != .on }
    }

    private func wait(_ task: LabTask, until holds: (LabSnapshot) -> Bool) async {
        while true {
            let now = world.vcenterSnapshot()
            let isWanted = tasks[task.id]?.isRunning == true && !Task.isCancelled
            if holds(now) || !isWanted { return }
            _ = await world.change(after: now.version, within: LabVCenterServer.lookEvery)
        }
    }

    // MARK: Hosts

    /// Waits until no guest is on there: nothing moves them away for it.
    private func enterMaintenance(
        _ host: HostName, _ limit: Duration?, _ task: LabTask, _ snapshot: LabSnapshot
    ) async throws(VimFault) {
        if snapshot.host(host)?.inMaintenance == true {
            throw VimFault("InvalidState", "The host is in maintenance mode already.")
        }
        let clock = ContinuousClock()
        let began = clock.now
        while true {
            let now = world.vcenterSnapshot()
            try LabVCenterServer.reach(host, now)
            guard tasks[task.id]?.isRunning == true, !Task.isCancelled else { return }
            if world.setMaintenance(host, on: true) { return }
            if let limit, clock.now - began >= limit {
                throw VimFault("Timedout", "Operation timed out.")
            }
            _ = await world.change(after: now.version, within: LabVCenterServer.lookEvery)
        }
    }

    // MARK: The cluster

    /// Applies a ClusterConfigSpecEx. What the lab's cluster does not have is refused, rather
    /// than taken and forgotten.
    private func reconfigure(_ spec: VimObject, modify: Bool) async throws(VimFault) {
        guard spec.type == "ClusterConfigSpecEx" else {
            throw .invalidArgument("spec", "A cluster takes a ClusterConfigSpecEx.")
        }
        let served: [String: Set<String>] = [
            "dasConfig": ["enabled"],
            "drsConfig": ["enabled", "enableVmBehaviorOverrides", "defaultVmBehavior"],
            "dpmConfig": ["enabled"], "systemVMsConfig": ["deploymentMode"],
        ]
        for (name, value) in spec.fields {
            guard let fields = served[name], let part = value.object else {
                throw VimFault("NotSupported", "This vCenter does not serve spec.\(name).")
            }
            for field in part.fields.keys where !fields.contains(field) {
                throw VimFault("NotSupported", "This vCenter does not serve \(name).\(field).")
            }
        }
        let das = spec["dasConfig"]?.object
        let drs = spec["drsConfig"]?.object
        let dpm = spec["dpmConfig"]?.object
        let level = drs?["defaultVmBehavior"]?.text.flatMap(DRSLevel.init(rawValue:))
        let modeText = spec["systemVMsConfig"]?.object?["deploymentMode"]?.text
        let mode = modeText.flatMap(VCLSMode.init(rawValue:))
        if modeText != nil, mode == nil {
            throw .invalidArgument("spec.systemVMsConfig.deploymentMode", "There is no such mode.")
        }
        // Without `modify` what is absent goes back to its default: off, and fully automated.
        let change = AutomationChange(
            ha: das?["enabled"]?.flag ?? (modify ? nil : false),
            drsLevel: level ?? (modify ? nil : .fullyAutomated),
            drsOverrides: drs?["enableVmBehaviorOverrides"]?.flag ?? (modify ? nil : true),
            dpm: dpm?["enabled"]?.flag ?? (modify ? nil : false))
        let drsEnabled = drs?["enabled"]?.flag ?? (modify ? nil : false)
        world.turn { world in
            world.change(change)
            world.setVCLS(mode: mode)
            if let drsEnabled { world.setDRS(enabled: drsEnabled) }
        }
    }
}
