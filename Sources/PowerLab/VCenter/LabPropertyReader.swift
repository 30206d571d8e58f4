/// The entities of a vCenter or a host at one moment, as managed objects with properties.
protocol LabTree: Sendable {
    /// The site at that moment.
    var snapshot: LabSnapshot { get }
    /// Every entity, parents before children.
    var entities: [VimReference] { get }
    /// The properties of an entity; nil when there is no such object.
    func properties(of reference: VimReference) -> [String: VimValue]?
    /// What an entity is below; nil for the root, and for what is no entity.
    func parent(of reference: VimReference) -> VimReference?
    /// Whether an entity is the other, or is somewhere below it.
    func contains(_ reference: VimReference, in container: VimReference) -> Bool
}

/// Reads properties of all objects of a vCenter or a host, as one session sees them at one moment.
struct LabPropertyReader: Sendable {
    let table: VimTable
    let version: VimVersion
    let tree: any LabTree
    let session: LabSession?
    let tasks: [String: LabTask]
    let options: [(key: String, value: String)]
    let content: VimObject

    /// An object's properties; nil when there is no such object.
    func properties(of reference: VimReference) -> [String: VimValue]? {
        if reference == VimReference("ServiceInstance", "ServiceInstance") {
            return ["content": .object(content), "serverClock": .date(tree.snapshot.wall.vim)]
        }
        if let manager = content.fields.first(where: { $0.value.reference == reference }) {
            if let properties = properties(ofManager: manager.key) { return properties }
        }
        switch reference.type {
        case "Task": return tasks[reference.id].map { ["info": $0.info] }
        case "ContainerView": return session?.views[reference.id].map(properties)
        case "PropertyCollector":
            return session?.collectors[reference.id].map { collector in
                let filters = collector.filters.map { VimReference("PropertyFilter", $0.id) }
                return ["filter": .references(filters)]
            }
        case "PropertyFilter":
            let filters = session?.collectors.values.flatMap(\.filters) ?? []
            return filters.first { $0.id == reference.id }.map { ["spec": .object($0.spec)] }
        default: return tree.properties(of: reference)
        }
    }

    /// The properties of what the content names so; nil for what is an entity or a session's.
    private func properties(ofManager name: String) -> [String: VimValue]? {
        switch name {
        case "sessionManager": return session.map { ["currentSession": $0.value] } ?? [:]
        case "setting":
            return ["setting": .list(options.map { optionValue($0) }, of: "OptionValue")]
        case "authorizationManager": return [:]
        case "cryptoManager":
            return (tree as? LabInventoryTree).map { ["kmipServers": $0.keyProviders] }
        case "customFieldsManager": return ["field": tree.snapshot.places.fields]
        case "viewManager":
            let views = session?.views.keys.sorted() ?? []
            return ["viewList": .references(views.map { VimReference("ContainerView", $0) })]
        default: return nil
        }
    }

    private func properties(of view: LabView) -> [String: VimValue] {
        let shown = tree.entities.filter { entity in
            guard entity != view.container else { return false }
            guard view.types.isEmpty || view.types.contains(where: { isManaged(entity, $0) })
            else { return false }
            return view.isRecursive
                ? tree.contains(entity, in: view.container)
                : tree.parent(of: entity) == view.container
        }
        return [
            "view": .references(shown), "container": .reference(view.container),
            "type": .list(view.types.map { .string($0) }, of: "string"),
            "recursive": .bool(view.isRecursive),
        ]
    }

    private func isManaged(_ reference: VimReference, _ type: String) -> Bool {
        table.isManaged(reference.type, a: type)
    }

    // MARK: Paths

    /// A property's value; nil when it is unset. A path that the type does not have in this
    /// version is a fault.
    func value(at path: String, of reference: VimReference) throws(VimFault) -> VimValue? {
        guard let properties = properties(of: reference) else { throw .notFound(reference) }
        try check(path, of: reference.type)
        let parts = path.split(separator: ".").map(String.init)
        var value = parts.first.flatMap { properties[$0] }
        for part in parts.dropFirst() { value = value?.object?[part] }
        return value
    }

    /// Whether a managed type has such a property in this version.
    func check(_ path: String, of type: String) throws(VimFault) {
        let invalid = VimFault(
            "InvalidProperty", "\(type) has no property \(path)", ["name": .string(path)])
        var fields = table.managed[type].flatMap { _ in table.fields(of: type) }
        let parts = path.split(separator: ".", omittingEmptySubsequences: false)
        for part in parts {
            guard let field = fields?.first(where: { $0.name == part && $0.exists(in: version) })
            else { throw invalid }
            fields =
                field.isReference || field.isArray ? nil : table.fields(of: subtype(of: field))
        }
    }

    /// A cluster's `configurationEx` is declared as a compute resource's, and is always more.
    private func subtype(of field: VimField) -> String {
        field.type == "ComputeResourceConfigInfo" ? "ClusterConfigInfoEx" : field.type
    }

    // MARK: Filters

    /// What a filter selects: objects in the order they are met, each with its properties.
    func select(
        _ spec: VimObject
    ) throws(VimFault) -> [(reference: VimReference, values: [(path: String, value: VimValue)])] {
        let wanted = (spec["propSet"]?.elements ?? []).compactMap(\.object)
        for properties in wanted { try checkSpec(properties) }
        var walk = LabWalk(reader: self)
        let tolerant = spec["reportMissingObjectsInResults"]?.flag == true
        for start in (spec["objectSet"]?.elements ?? []).compactMap(\.object) {
            try walk.begin(start, tolerant: tolerant)
        }
        var selected: [(reference: VimReference, values: [(path: String, value: VimValue)])] = []
        for reference in walk.found {
            let matching = wanted.filter { isManaged(reference, $0["type"]?.text ?? "") }
            if matching.isEmpty { continue }
            var values: [(path: String, value: VimValue)] = []
            for path in paths(matching, of: reference) {
                if let value = try value(at: path, of: reference) { values.append((path, value)) }
            }
            selected.append((reference, values))
        }
        return selected
    }

    private func checkSpec(_ properties: VimObject) throws(VimFault) {
        let type = properties["type"]?.text ?? ""
        guard table.managed[type] != nil || type == "ManagedObject" else {
            throw .invalidArgument("specSet.propSet.type", "there is no managed type \(type)")
        }
        for path in (properties["pathSet"]?.elements ?? []).compactMap(\.text) {
            try check(path, of: type)
        }
    }

    private func paths(_ specs: [VimObject], of reference: VimReference) -> [String] {
        var paths: [String] = []
        for spec in specs {
            let more =
                spec["all"]?.flag == true
                ? properties(of: reference)?.keys.sorted() ?? []
                : (spec["pathSet"]?.elements ?? []).compactMap(\.text)
            for path in more where !paths.contains(path) { paths.append(path) }
        }
        return paths
    }
}

/// An option as vim25 has it.
func optionValue(_ option: (key: String, value: String)) -> VimValue {
    .object(
        VimObject("OptionValue", ["key": .string(option.key), "value": .string(option.value)]))
}

/// Follows the traversals of a filter.
struct LabWalk {
    let reader: LabPropertyReader
    private(set) var found: [VimReference] = []
    private var known: Set<VimReference> = []
    /// Named traversals that were followed from an object already: selections may be circular.
    private var followed: Set<Step> = []

    private struct Step: Hashable {
        let name: String
        let from: VimReference
    }

    init(reader: LabPropertyReader) { self.reader = reader }

    /// Starts at the object of an ObjectSpec.
    mutating func begin(_ spec: VimObject, tolerant: Bool) throws(VimFault) {
        guard let object = spec["obj"]?.reference else { return }
        guard reader.properties(of: object) != nil else {
            if tolerant { return }
            throw .notFound(object)
        }
        if spec["skip"]?.flag != true { add(object) }
        let selections = (spec["selectSet"]?.elements ?? []).compactMap(\.object)
        var named: [String: VimObject] = [:]
        collect(selections, into: &named)
        followed = []
        for selection in selections { try follow(selection, from: object, named) }
    }

    private mutating func add(_ object: VimReference) {
        if known.insert(object).inserted { found.append(object) }
    }

    private func collect(_ selections: [VimObject], into named: inout [String: VimObject]) {
        for selection in selections where selection.type == "TraversalSpec" {
            if let name = selection["name"]?.text { named[name] = selection }
            let inner = (selection["selectSet"]?.elements ?? []).compactMap(\.object)
            collect(inner, into: &named)
        }
    }

    private mutating func follow(
        _ selection: VimObject, from object: VimReference, _ named: [String: VimObject]
    ) throws(VimFault) {
        var step = selection
        if step.type != "TraversalSpec" {
            let name = step["name"]?.text ?? ""
            guard let known = named[name] else {
                throw .invalidArgument("selectSet", "no traversal is named \(name)")
            }
            step = known
        }
        if let name = step["name"]?.text,
            !followed.insert(Step(name: name, from: object)).inserted
        {
            return
        }
        guard let type = step["type"]?.text, let path = step["path"]?.text,
            reader.table.isManaged(object.type, a: type)
        else { return }
        try reader.check(path, of: type)
        let value = try reader.value(at: path, of: object)
        let targets = value?.reference.map { [$0] } ?? value?.elements.compactMap(\.reference) ?? []
        let inner = (step["selectSet"]?.elements ?? []).compactMap(\.object)
        for target in targets {
            if step["skip"]?.flag != true { add(target) }
            for next in inner { try follow(next, from: target, named) }
        }
    }
}
