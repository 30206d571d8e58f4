import PowerRun

/// Reads the tags of guests. vim25 has none of them: they are in vCenter's REST interface.
struct TagReader: Sendable {
    let rest: RESTClient
    let limits: VCenterLimits

    /// Objects in one request.
    private static let batch = 500
    /// Requests for single tags that are under way at the same time.
    private static let width = 8

    /// The tags of these guests as `category/name`; guests without any are left out.
    func tags(
        of vms: [Reference], in shape: RESTShape
    ) async throws(CallFailure) -> [Reference: [String]] {
        let deadline = ContinuousClock.now + limits.tags
        var attached: [Reference: [String]] = [:]
        for start in stride(from: 0, to: vms.count, by: Self.batch) {
            let part = vms[start..<min(start + Self.batch, vms.count)]
            for (vm, tags) in try await attachedTags(to: part, shape, deadline) {
                attached[vm] = tags
            }
        }
        let ids = Set(attached.values.joined())
        let tags: [String: RESTTag] = try await each(ids) { id throws(CallFailure) in
            try await self.get(.tag(id), shape, deadline)
        }
        let categories: [String: RESTCategory] = try await each(Set(tags.values.map(\.categoryId)))
        { id throws(CallFailure) in
            try await self.get(.category(id), shape, deadline)
        }
        return attached.mapValues { ids in
            ids.compactMap { id in
                // One that was deleted meanwhile is no longer attached.
                guard let tag = tags[id], let category = categories[tag.categoryId] else {
                    return nil
                }
                return "\(category.name)/\(tag.name)"
            }
        }
    }

    private func attachedTags(
        to vms: ArraySlice<Reference>, _ shape: RESTShape, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> [Reference: [String]] {
        let found: [RESTAttached] = try await rest.value(
            .attachedTags(of: Array(vms)), in: shape, until: deadline)
        let wanted = Set(vms)
        var attached: [Reference: [String]] = [:]
        for object in found {
            let vm = Reference(kind: object.objectId.type, id: object.objectId.id)
            if wanted.contains(vm), let tags = object.tagIds, !tags.isEmpty { attached[vm] = tags }
        }
        return attached
    }

    /// A value, or nil where there is none (any more).
    private func get<Value: Decodable>(
        _ call: RESTCall, _ shape: RESTShape, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> Value? {
        do throws(CallFailure) {
            return try await rest.value(call, in: shape, until: deadline)
        } catch {
            guard case .rest(let fault) = error, fault.reason == .notFound else { throw error }
            return nil
        }
    }

    /// Asks for each of these, a few at a time; those that are gone are left out.
    private func each<Value: Sendable>(
        _ ids: Set<String>,
        _ ask: @escaping @Sendable (String) async throws(CallFailure) -> Value?
    ) async throws(CallFailure) -> [String: Value] {
        let all = ids.sorted()
        var found: [String: Value] = [:]
        for start in stride(from: 0, to: all.count, by: Self.width) {
            let part = all[start..<min(start + Self.width, all.count)]
            let results = await withTaskGroup(of: (String, Result<Value?, CallFailure>).self) {
                group in
                for id in part {
                    group.addTask {
                        do throws(CallFailure) { return (id, .success(try await ask(id))) } catch {
                            return (id, .failure(error))
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (id, result) in results { found[id] = try result.get() }
        }
        return found
    }
}
