import PowerModel
import Synchronization

/// Keeps the cluster's inventory up to date: one WaitForUpdatesEx in flight, any number of
/// callers waiting for what it brings.
///
/// Nothing is asked of vCenter while nobody waits. An inventory is published only when vCenter
/// has sent all of it.
actor InventoryWatch {
    private struct Waiter {
        /// nil: content with whatever vCenter confirms next.
        var newerThan: UInt64?
        var deadline: ContinuousClock.Instant
        var continuation: CheckedContinuation<Result<Inventory, CallFailure>, Never>
    }

    /// What exists on the server for the watch, and what it has sent so far.
    private struct Setup {
        var generation: Int
        var view: Reference
        var collector: Reference
        /// The version to wait from; empty before the first answer.
        var token = ""
        /// Whether the last answer was the end of a set: only then `objects` is the whole truth.
        var isComplete = false
        var objects: [Reference: ObjectProperties] = [:]
    }

    /// Where what was seen is to be found at vCenter.
    private struct Places {
        var references = KnownReferences()
        var cluster: Reference?
    }

    private let vim: VimClient
    private let name: ClusterName
    private let limits: VCenterLimits
    private let labels: LabelKinds

    private var known: Inventory?
    private var confirmed: ContinuousClock.Instant?
    private var version: UInt64 = 0
    /// What was seen last is told without a turn of the actor: while it reads a large answer,
    /// a thousand guests are asked for something.
    private nonisolated let places = Mutex(Places())
    /// What extraConfig said of guests, and which were asked.
    private var marks: [Reference: Classification.Mark] = [:]
    private var asked: Set<Reference> = []
    /// The guests' tags as the last snapshot read them: a collector does not tell of them.
    private var tags: [Reference: [String]] = [:]

    private var setup: Setup?
    private var waiters: [UInt64: Waiter] = [:]
    private var lastWaiter: UInt64 = 0
    private var pump: Task<Void, Never>?

    init(vim: VimClient, name: ClusterName, limits: VCenterLimits, labels: LabelKinds) {
        self.vim = vim
        self.name = name
        self.limits = limits
        self.labels = labels
    }

    /// An inventory that vCenter confirmed no longer ago than this is current.
    private static let freshFor: Duration = .seconds(2)

    // MARK: What others ask

    /// As `ClusterControl.inventory`.
    func inventory(
        newerThan version: UInt64?, within limit: Duration
    ) async throws(CallFailure) -> Inventory {
        if let known, isCurrent, known.version > version ?? 0 { return known }
        lastWaiter += 1
        let id = lastWaiter
        let deadline = ContinuousClock.now + limit
        let timer = Task {
            do {
                try await Task.sleep(until: deadline)
                self.expire(id)
            } catch {
                // Answered before its limit.
            }
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiters[id] = Waiter(
                    newerThan: version, deadline: deadline, continuation: continuation)
                if pump == nil { pump = Task { await self.runPump() } }
            }
        } onCancel: {
            Task { await self.expire(id) }
        }
        timer.cancel()
        return try result.get()
    }

    /// The reference of a guest; asks vCenter when it is not known yet.
    nonisolated func reference(of guest: GuestID) async throws(CallFailure) -> Reference {
        if let reference = places.withLock({ $0.references.guests[guest] }) { return reference }
        _ = try await inventory(newerThan: nil, within: limits.read)
        guard let reference = places.withLock({ $0.references.guests[guest] }) else {
            throw .missing("no host of cluster \(name) has a guest with identity \(guest)")
        }
        return reference
    }

    /// The reference of a host; asks vCenter when it is not known yet.
    nonisolated func reference(of host: HostName) async throws(CallFailure) -> Reference {
        if let reference = places.withLock({ $0.references.hosts[host] }) { return reference }
        _ = try await inventory(newerThan: nil, within: limits.read)
        guard let reference = places.withLock({ $0.references.hosts[host] }) else {
            throw .missing("cluster \(name) has no host \(host)")
        }
        return reference
    }

    /// The reference of the cluster; asks vCenter when it is not known yet.
    nonisolated func clusterReference() async throws(CallFailure) -> Reference {
        if let cluster = places.withLock({ $0.cluster }) { return cluster }
        _ = try await inventory(newerThan: nil, within: limits.read)
        guard let cluster = places.withLock({ $0.cluster }) else {
            throw .missing("there is no cluster \(name)")
        }
        return cluster
    }

    /// Takes in what a snapshot read, and makes an inventory of it. Its version is the last that
    /// was published: whatever the watch brings next is newer. With nil for the guests' tags
    /// those that were read earlier stay.
    func adopt(
        _ reading: ClusterReading, tags newTags: [Reference: [String]]?
    ) throws(CallFailure) -> (ObjectProperties, Inventory) {
        let cluster = try reading.cluster(name)
        for vm in try reading.guests(of: cluster.reference) { note(vm) }
        if let newTags, newTags != tags {
            tags = newTags
            // What was published has the old ones.
            confirmed = nil
        }
        let (inventory, references) = try reading.inventory(
            of: cluster.reference, version: version, marks: marks, tags: tags)
        places.withLock { $0 = Places(references: references, cluster: cluster.reference) }
        return (cluster, inventory)
    }

    /// Ends the watch; whoever waits is told.
    func stop() {
        pump?.cancel()
        pump = nil
        setup = nil
        finishAll(.failure(.refused("the connection was closed")))
    }

    // MARK: Waiters

    private var isCurrent: Bool {
        // While a call is in flight vCenter tells of every change at once.
        if pump != nil, setup?.isComplete == true { return true }
        guard let confirmed else { return false }
        return ContinuousClock.now - confirmed < Self.freshFor
    }

    private func expire(_ id: UInt64) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        // Only a caller that has an inventory can be content with "nothing new".
        if waiter.newerThan != nil, let known {
            waiter.continuation.resume(returning: .success(known))
        } else {
            waiter.continuation.resume(
                returning: .failure(.timedOut("no complete inventory came within the limit")))
        }
    }

    private func deliver(_ inventory: Inventory) {
        for (id, waiter) in waiters where inventory.version > waiter.newerThan ?? 0 {
            waiters[id] = nil
            waiter.continuation.resume(returning: .success(inventory))
        }
    }

    private func finishAll(_ result: Result<Inventory, CallFailure>) {
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.continuation.resume(returning: result) }
    }

    // MARK: The pump

    private func runPump() async {
        while !waiters.isEmpty, !Task.isCancelled {
            do throws(CallFailure) {
                deliver(try await poll())
            } catch {
                if Task.isCancelled { return }
                finishAll(.failure(error))
            }
        }
        if !Task.isCancelled { pump = nil }
    }

    /// How long vCenter may let the next call hang, in whole seconds.
    private var waitSeconds: Int {
        if waiters.values.contains(where: { $0.newerThan == nil }) { return 0 }
        let longest = waiters.values.map(\.deadline).max() ?? .now
        let wanted = min(longest - .now, limits.longPoll)
        return max(1, Int(wanted.components.seconds))
    }

    private func poll() async throws(CallFailure) -> Inventory {
        let seconds = waitSeconds
        return try await vim.withSession { session throws(CallFailure) in
            try await self.poll(in: session, seconds: seconds)
        }
    }

    private func poll(in session: Session, seconds: Int) async throws(CallFailure) -> Inventory {
        do throws(CallFailure) {
            try await update(in: session, seconds: seconds)
        } catch {
            // The watch's own objects are gone, or its version is: begin again, once.
            guard case .fault(let fault) = error, Self.lostWatch.contains(fault.type) else {
                // A set of which a part is missing cannot be continued.
                if setup?.isComplete == false { await discardSetup(in: session) }
                throw error
            }
            await discardSetup(in: session)
            try await update(in: session, seconds: 0)
        }
        let reading = ClusterReading(
            objects: setup.map { Array($0.objects.values) } ?? [], labels: labels)
        let cluster = try reading.cluster(name).reference
        try await readMarks(of: try reading.guests(of: cluster), in: session)
        return try publish(reading, cluster: cluster)
    }

    /// Faults that mean: the collector, its filter or its version does not exist any more.
    private static let lostWatch: Set = ["InvalidCollectorVersion", "ManagedObjectNotFound"]

    private func publish(
        _ reading: ClusterReading, cluster: Reference
    ) throws(CallFailure) -> Inventory {
        var (inventory, references) = try reading.inventory(
            of: cluster, version: version, marks: marks, tags: tags)
        if inventory != known {
            version += 1
            inventory.version = version
        }
        known = inventory
        confirmed = .now
        places.withLock { $0 = Places(references: references, cluster: cluster) }
        return inventory
    }

    // MARK: Updates

    /// Brings `setup.objects` up to date: the first time everything, later what changed.
    private func update(in session: Session, seconds: Int) async throws(CallFailure) {
        if setup?.generation != session.generation { setup = try await build(in: session) }
        for _ in 0..<Self.partsLimit {
            guard let setup else { throw .refused("the connection was closed") }
            let limit = Duration.seconds(seconds) + VCenterLimits.longPollGrace
            let reply = try await vim.call(
                .waitForUpdatesEx, on: setup.collector, in: session,
                within: setup.isComplete ? limit : limits.read
            ) {
                $0.add("version", setup.token)
                $0.add("options", "WaitOptions") { $0.add("maxWaitSeconds", seconds) }
            }
            // No returnval: the wait ran out and nothing changed.
            guard let set = reply["returnval"] else { return try self.demandComplete() }
            try apply(set)
            if self.setup?.isComplete == true { return }
        }
        throw .unreadable("to WaitForUpdatesEx has more than \(Self.partsLimit) parts")
    }

    /// A server that sends 100 objects at a time shows 100 000 in these.
    private static let partsLimit = 1000

    private func demandComplete() throws(CallFailure) {
        guard setup?.isComplete == true else {
            throw .unreadable("to WaitForUpdatesEx is empty in the middle of a set")
        }
    }

    private func apply(_ set: Element) throws(CallFailure) {
        guard var next = setup, let token = set["version"]?.text, !token.isEmpty else {
            throw .unreadable("to WaitForUpdatesEx has no version")
        }
        next.isComplete = false
        setup = next
        for filter in set.all("filterSet") {
            for update in filter.all("objectSet") { try Self.apply(update, to: &next.objects) }
        }
        next.token = token
        next.isComplete = set["truncated"]?.bool != true
        setup = next
    }

    private static func apply(
        _ update: Element, to objects: inout [Reference: ObjectProperties]
    ) throws(CallFailure) {
        guard let reference = update["obj"]?.reference, let kind = update["kind"]?.text else {
            throw .unreadable("to WaitForUpdatesEx has an update without an object")
        }
        if kind == "leave" {
            objects[reference] = nil
            return
        }
        guard kind == "enter" || kind == "modify" else {
            throw .unreadable("to WaitForUpdatesEx has an update of the kind \(kind)")
        }
        var object =
            (kind == "modify" ? objects[reference] : nil)
            ?? ObjectProperties(reference: reference)
        for change in update.all("changeSet") {
            guard let name = change["name"]?.text, let operation = change["op"]?.text else {
                throw .unreadable("to WaitForUpdatesEx has a change without a name")
            }
            object.unreadable[name] = nil
            // `remove` and `indirectRemove` unset it; so does an assignment of nothing.
            object.values[name] =
                operation == "assign" || operation == "add" ? change["val"] : nil
        }
        for missing in update.all("missingSet") {
            guard let path = missing["path"]?.text, let fault = missing["fault"] else { continue }
            object.values[path] = nil
            object.unreadable[path] = VimFault(localized: fault).type
        }
        objects[reference] = object
    }

    // MARK: The watch on the server

    private func build(in session: Session) async throws(CallFailure) -> Setup {
        let choices = ClusterReading.watchChoices(labels, version: session.wire.version)
        let view = try await vim.createView(of: choices, in: session, within: limits.read)
        // One of our own: the shared collector mixes the filters of everybody in the session.
        let collector = try VimClient.returned(
            try await vim.call(
                .createPropertyCollector, on: session.content.propertyCollector, in: session,
                within: limits.call))
        _ = try VimClient.returned(
            try await vim.call(.createFilter, on: collector, in: session, within: limits.call) {
                $0.add("spec", "PropertyFilterSpec") {
                    VimClient.addFilter(choices, view: view, in: session, to: &$0)
                }
                $0.add("partialUpdates", false)
            })
        return Setup(generation: session.generation, view: view, collector: collector)
    }

    private func discardSetup(in session: Session) async {
        guard let old = setup else { return }
        setup = nil
        guard old.generation == session.generation else { return }
        await vim.discard(old.collector, with: .destroyPropertyCollector, in: session)
        await vim.discard(old.view, with: .destroyView, in: session)
    }

    // MARK: What extraConfig says

    private func note(_ vm: ObjectProperties) {
        guard vm["config.instanceUuid"] != nil else { return }
        asked.insert(vm.reference)
        // Where it may not be read, the name is asked in its place.
        guard vm.unreadable[ClusterReading.extraConfig] == nil else { return }
        marks[vm.reference] = vm[ClusterReading.extraConfig].map(Classification.mark) ?? .unmarked
    }

    /// Asks for the extraConfig of guests that were never asked, without those that are broken.
    private func readMarks(
        of vms: [ObjectProperties], in session: Session
    ) async throws(CallFailure) {
        let paths = ["config.instanceUuid", ClusterReading.extraConfig]
        let choice = PropertyChoice(kind: "VirtualMachine", paths: paths)
        var unknown = vms.filter { $0["config.instanceUuid"] != nil }.map(\.reference)
            .filter { !asked.contains($0) }.sorted()
        for _ in 0..<Self.markAttempts where !unknown.isEmpty {
            do throws(CallFailure) {
                let read = try await vim.read(
                    [choice], of: unknown, in: session, limits: limits)
                return read.forEach(note)
            } catch {
                // A guest that has gone meanwhile; the next update will say so too.
                guard case .fault(let fault) = error, fault.type == "ManagedObjectNotFound",
                    let gone = fault.fields?["obj"]?.reference, unknown.contains(gone)
                else { throw error }
                unknown.removeAll { $0 == gone }
            }
        }
    }

    /// That many guests may go while we ask; those not asked are asked with the next update.
    private static let markAttempts = 10
}
