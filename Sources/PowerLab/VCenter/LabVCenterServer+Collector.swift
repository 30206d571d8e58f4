import Foundation
import NIOCore
import PowerModel

/// The property collector.
extension LabVCenterServer {
    // MARK: Collectors and filters

    func createCollector(_ key: String) -> VimValue {
        let id = "session[\(key)]\(UUID().uuidString.lowercased())"
        sessions[key]?.collectors[id] = LabCollector()
        return .reference(VimReference("PropertyCollector", id))
    }

    func destroyCollector(_ call: VimCall, _ key: String) throws(VimFault) -> VimValue? {
        guard call.receiver.id != LabSession.defaultCollector else {
            throw VimFault("NotSupported", "The default collector cannot be destroyed.")
        }
        sessions[key]?.collectors[call.receiver.id] = nil
        return nil
    }

    func createFilter(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue {
        guard let spec = call["spec"]?.object else { throw .invalidRequest("spec is missing") }
        // A wrong path is found out now, not by the first wait.
        _ = try reader.select(spec)
        let id = "session[\(key)]filter-\(nextNumber())"
        sessions[key]?.collectors[call.receiver.id]?.filters.append((id, spec))
        revision += 1
        return .reference(VimReference("PropertyFilter", id))
    }

    func destroyFilter(_ call: VimCall, _ key: String) throws(VimFault) -> VimValue? {
        for id in (sessions[key]?.collectors ?? [:]).keys {
            sessions[key]?.collectors[id]?.filters.removeAll { $0.id == call.receiver.id }
        }
        return nil
    }

    // MARK: Waiting

    /// What the server itself bounds a wait at, when the client does not.
    static let longestWait: Duration = .seconds(1800)

    func waitForUpdates(
        _ call: VimCall, _ key: String, _ channel: any Channel
    ) async throws(VimFault) -> VimValue? {
        let version = call["version"]?.text ?? ""
        let options = call["options"]?.object
        let limit = try waitLimit(options)
        let most = try updateLimit(options)
        let id = call.receiver.id
        let told = try startWaiting(version, collector: id, key)
        let cancels = sessions[key]?.collectors[id]?.cancels
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        var seen: (world: UInt64, revision: Int, at: ContinuousClock.Instant)?
        while true {
            let snapshot = world.vcenterSnapshot()
            guard let session = sessions[key] else { throw .notAuthenticated(call.receiver) }
            guard let collector = session.collectors[id] else { throw .notFound(call.receiver) }
            guard collector.cancels == cancels else {
                throw VimFault("RequestCanceled", "The request was canceled.")
            }
            let now = clock.now
            let isNew =
                seen.map {
                    $0.world != snapshot.version || $0.revision != revision
                        || now - $0.at >= LabVCenterServer.lookEvery
                } ?? true
            if isNew {
                seen = (snapshot.version, revision, now)
                let reader = reader(snapshot, version: call.version, session: session)
                let updates = try LabUpdates(collector, told: told, reader, most: most)
                if !updates.isEmpty {
                    return remember(updates, after: version, collector: id, key)
                }
            }
            if now >= deadline || Task.isCancelled || !channel.isActive { return nil }
            _ = await world.change(
                after: snapshot.version,
                within: min(deadline - now, LabVCenterServer.waitLook))
        }
    }

    /// How often a wait looks at what is not in the world: tasks, options, a cancellation.
    private static let waitLook: Duration = .milliseconds(50)

    private func waitLimit(_ options: VimObject?) throws(VimFault) -> Duration {
        guard let seconds = options?["maxWaitSeconds"]?.number else {
            return LabVCenterServer.longestWait
        }
        guard seconds >= 0 else {
            throw .invalidArgument("options.maxWaitSeconds", "maxWaitSeconds is negative")
        }
        return min(.seconds(seconds), LabVCenterServer.longestWait)
    }

    private func updateLimit(_ options: VimObject?) throws(VimFault) -> Int {
        guard let wanted = options?["maxObjectUpdates"]?.number else { return pageSize }
        guard wanted > 0 else {
            throw .invalidArgument("options.maxObjectUpdates", "maxObjectUpdates is not positive")
        }
        return min(wanted, pageSize)
    }

    /// What the reader knows at the version it names.
    private func startWaiting(
        _ version: String, collector id: String, _ key: String
    ) throws(VimFault) -> LabCollector.Told {
        if version.isEmpty {
            sessions[key]?.collectors[id]?.told = [:]
            sessions[key]?.collectors[id]?.truncated = []
            return [:]
        }
        guard let told = sessions[key]?.collectors[id]?.told[version] else {
            throw VimFault(
                "InvalidCollectorVersion", "The version '\(version)' is not valid (any more).")
        }
        if sessions[key]?.collectors[id]?.truncated.remove(version) != nil {
            sessions[key]?.collectors[id]?.told[version] = nil
        }
        return told
    }

    private func remember(
        _ updates: LabUpdates, after version: String, collector id: String, _ key: String
    ) -> VimValue {
        guard var collector = sessions[key]?.collectors[id] else { return updates.value("") }
        collector.versions += 1
        let name = String(collector.versions)
        collector.told = collector.told.filter { $0.key == version }
        collector.told[name] = updates.told
        if updates.isTruncated { collector.truncated.insert(name) }
        sessions[key]?.collectors[id] = collector
        return updates.value(name)
    }
}

/// What has changed since a version.
private struct LabUpdates {
    /// What the reader knows when it has read this.
    private(set) var told: LabCollector.Told
    private(set) var isTruncated = false
    private var filters: [VimValue] = []

    var isEmpty: Bool { filters.isEmpty }

    /// Compares what the filters select now with what was told; takes at most `most` objects.
    init(
        _ collector: LabCollector, told before: LabCollector.Told, _ reader: LabPropertyReader,
        most: Int
    ) throws(VimFault) {
        told = before
        var room = most
        for filter in collector.filters {
            let known = before[filter.id] ?? [:]
            var objects: [VimValue] = []
            let selected = try LabUpdates.select(filter.spec, reader)
            for (reference, values) in selected {
                let now = Dictionary(
                    values.map { ($0.path, $0.value) }, uniquingKeysWith: { first, _ in first })
                guard known[reference] != now else { continue }
                guard room > 0 else {
                    isTruncated = true
                    break
                }
                room -= 1
                objects.append(LabUpdates.update(reference, from: known[reference], to: values))
                told[filter.id, default: [:]][reference] = now
            }
            let present = Set(selected.map(\.reference))
            for gone in known.keys.sorted() where !present.contains(gone) {
                guard room > 0 else {
                    isTruncated = true
                    break
                }
                room -= 1
                objects.append(LabUpdates.update(gone, kind: "leave", []))
                told[filter.id]?[gone] = nil
            }
            if !objects.isEmpty { append(objects, of: filter.id) }
        }
    }

    /// A filter whose start has vanished selects nothing: its objects leave.
    private static func select(
        _ spec: VimObject, _ reader: LabPropertyReader
    ) throws(VimFault) -> [(reference: VimReference, values: [(path: String, value: VimValue)])] {
        do { return try reader.select(spec) } catch {
            if error.detail.type == "ManagedObjectNotFound" { return [] }
            throw error
        }
    }

    private mutating func append(_ objects: [VimValue], of filter: String) {
        filters.append(
            .object(
                VimObject(
                    "PropertyFilterUpdate",
                    [
                        "filter": .reference(VimReference("PropertyFilter", filter)),
                        "objectSet": .list(objects, of: "ObjectUpdate"),
                    ])))
    }

    private static func update(
        _ reference: VimReference, from known: [String: VimValue]?,
        to values: [(path: String, value: VimValue)]
    ) -> VimValue {
        var changes: [VimValue] = []
        for (path, value) in values where known?[path] != value {
            changes.append(change(path, value))
        }
        let present = Set(values.map(\.path))
        for path in (known ?? [:]).keys.sorted() where !present.contains(path) {
            changes.append(change(path, nil))
        }
        return update(reference, kind: known == nil ? "enter" : "modify", changes)
    }

    /// A property that is no longer set is assigned nothing.
    private static func change(_ path: String, _ value: VimValue?) -> VimValue {
        .object(
            VimObject(
                "PropertyChange",
                [
                    "name": .string(path), "op": .simple("assign", type: "PropertyChangeOp"),
                    "val": value,
                ]))
    }

    private static func update(
        _ reference: VimReference, kind: String, _ changes: [VimValue]
    ) -> VimValue {
        .object(
            VimObject(
                "ObjectUpdate",
                [
                    "kind": .simple(kind, type: "ObjectUpdateKind"),
                    "obj": .reference(reference),
                    "changeSet": .list(changes, of: "PropertyChange"),
                ]))
    }

    /// As `UpdateSet`.
    func value(_ version: String) -> VimValue {
        .object(
            VimObject(
                "UpdateSet",
                [
                    "version": .string(version),
                    "filterSet": .list(filters, of: "PropertyFilterUpdate"),
                    "truncated": isTruncated ? .bool(true) : nil,
                ]))
    }
}
