import PowerModel

/// Where administrators have put guests, of what a property collector said.
struct LabelReading {
    /// Objects that are not below the root folder: a view does not show them.
    static let fieldManager = "CustomFieldsManager"

    /// What is read for these labels, besides what is always read of guests.
    static func choices(for kinds: LabelKinds) -> [PropertyChoice] {
        var choices: [PropertyChoice] = []
        if kinds.contains(.folders) {
            choices.append(PropertyChoice(kind: "Folder", paths: ["name", "parent"]))
        }
        if !kinds.isDisjoint(with: Self.treeKinds) {
            choices.append(
                PropertyChoice(kind: "VirtualApp", paths: ["name", "parent", "parentFolder"]))
            choices.append(PropertyChoice(kind: "ResourcePool", paths: ["name", "parent"]))
        }
        if kinds.contains(.attributes) {
            choices.append(PropertyChoice(kind: fieldManager, paths: ["field"]))
        }
        return choices
    }

    /// What is read of every guest for these labels.
    static func guestPaths(for kinds: LabelKinds) -> [String] {
        var paths: [String] = []
        if kinds.contains(.folders) { paths.append("parent") }
        if kinds.contains(.resourcePools) { paths.append("resourcePool") }
        // A guest in a vApp has no parent: its folder is the vApp's.
        if !kinds.isDisjoint(with: Self.treeKinds) { paths.append("parentVApp") }
        if kinds.contains(.attributes) { paths.append("customValue") }
        return paths
    }

    private static let treeKinds: LabelKinds = [.folders, .resourcePools]
    /// Deeper than any inventory; a reply that goes round in circles ends here.
    private static let depthLimit = 100

    private let kinds: LabelKinds
    private let tags: [Reference: [String]]
    private let nodes: [Reference: ObjectProperties]
    private let folders: [Reference: String]
    private let pools: [Reference: String]
    /// Custom attributes' names by key; nil when they could not be read.
    private let fields: [String: String]?

    /// - Parameters:
    ///   - objects: everything that was read; guests in it do not matter here.
    ///   - tags: what is known of guests' tags, which are read elsewhere.
    init(_ objects: [ObjectProperties], kinds: LabelKinds, tags: [Reference: [String]]) {
        self.kinds = kinds
        self.tags = tags
        var nodes: [Reference: ObjectProperties] = [:]
        for object in objects where Self.nodeKinds.contains(object.reference.kind) {
            nodes[object.reference] = object
        }
        self.nodes = nodes
        var folders: [Reference: String] = [:]
        var pools: [Reference: String] = [:]
        for reference in nodes.keys {
            if reference.kind == "Folder" {
                folders[reference] = Self.path(of: reference, in: nodes, below: ["Datacenter"])
            } else {
                pools[reference] = Self.path(
                    of: reference, in: nodes, below: ["ClusterComputeResource", "ComputeResource"])
            }
        }
        self.folders = folders
        self.pools = pools
        fields = Self.fields(objects)
    }

    private static let nodeKinds: Set = ["Folder", "ResourcePool", "VirtualApp"]

    /// The names from below the topmost folder or pool, which itself is below one of these kinds;
    /// nil when one on the way could not be read.
    private static func path(
        of reference: Reference, in nodes: [Reference: ObjectProperties], below top: Set<String>,
        depth: Int = 0
    ) -> String? {
        guard depth < depthLimit, let node = nodes[reference],
            let parent = node["parent"]?.reference
        else { return nil }
        if top.contains(parent.kind) { return "" }
        guard let name = node["name"]?.text,
            let above = path(of: parent, in: nodes, below: top, depth: depth + 1)
        else { return nil }
        let own = ClusterReading.unescaped(name)
        return above.isEmpty ? own : "\(above)/\(own)"
    }

    private static func fields(_ objects: [ObjectProperties]) -> [String: String]? {
        guard let manager = objects.first(where: { $0.reference.kind == fieldManager }),
            manager.unreadable.isEmpty
        else { return nil }
        var names: [String: String] = [:]
        for field in manager["field"]?.all("CustomFieldDef") ?? [] {
            if let key = field["key"]?.text, let name = field["name"]?.text { names[key] = name }
        }
        return names
    }

    // MARK: One guest

    /// A guest's labels, those of the wanted kinds.
    func labels(of vm: ObjectProperties) -> GuestLabels {
        GuestLabels(
            folder: kinds.contains(.folders) ? folder(of: vm) : nil,
            resourcePool: kinds.contains(.resourcePools) ? pool(of: vm) : nil,
            tags: kinds.contains(.tags) ? tags[vm.reference] ?? [] : [],
            attributes: kinds.contains(.attributes) ? attributes(of: vm) ?? [:] : [:])
    }

    private func folder(of vm: ObjectProperties) -> String? {
        if let parent = vm["parent"]?.reference { return folders[parent] }
        var next = vm["parentVApp"]?.reference
        for _ in 0..<Self.depthLimit {
            guard let now = next, let vApp = nodes[now] else { return nil }
            // Only the outermost vApp is in a folder.
            if let folder = vApp["parentFolder"]?.reference { return folders[folder] }
            next = vApp["parent"]?.reference
        }
        return nil
    }

    private func pool(of vm: ObjectProperties) -> String? {
        (vm["resourcePool"] ?? vm["parentVApp"])?.reference.flatMap { pools[$0] }
    }

    private func attributes(of vm: ObjectProperties) -> [String: String]? {
        guard let fields, vm.unreadable["customValue"] == nil else { return nil }
        var attributes: [String: String] = [:]
        for field in vm["customValue"]?.all("CustomFieldValue") ?? [] {
            // An attribute that was emptied stays there with no text: the same as not set.
            guard let key = field["key"]?.text, let name = fields[key],
                let value = field["value"]?.text, !value.isEmpty
            else { continue }
            attributes[name] = value
        }
        return attributes
    }

    // MARK: All guests

    /// What of the wanted labels could not be read, as an operator would say it.
    func gaps(of vms: [ObjectProperties]) -> [String] {
        // Templates have no pool, and are never chosen.
        let guests = vms.filter { $0["config.template"]?.bool != true }
        let unknown: [(kind: LabelKinds, words: String, count: Int)] = [
            (.folders, "folder", guests.count { folder(of: $0) == nil }),
            (.resourcePools, "resource pool", guests.count { pool(of: $0) == nil }),
            (.attributes, "custom attributes", guests.count { attributes(of: $0) == nil }),
        ]
        return unknown.filter { kinds.contains($0.kind) && $0.count > 0 }.map {
            "the \($0.words) of \($0.count) guests cannot be read, so that no tier finds them by "
                + "it; give vpower's user System.Read there"
        }
    }
}
