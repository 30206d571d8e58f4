import PowerModel

/// Folders, resource pools and custom attributes of the lab's vCenter: what guests' labels name.
/// Their references depend on the labels alone, so they stay the same as guests come and go.
struct LabPlaces: Sendable {
    /// A folder or pool below the topmost one.
    struct Place: Sendable {
        let reference: VimReference
        /// As vCenter shows it: escaped.
        let name: String
        let parent: VimReference
    }

    static let fieldManager = VimReference("CustomFieldsManager", "CustomFieldsManager")

    /// Parents before children.
    private let folders: [(path: String, place: Place)]
    private let pools: [(path: String, place: Place)]
    /// Custom attributes' names, each with its key.
    private let keys: [(name: String, key: Int)]

    /// The places that these labels name.
    init(_ labels: [GuestLabels]) {
        folders = LabPlaces.tree(
            labels.compactMap(\.folder), type: "Folder", prefix: "group-v",
            top: LabInventoryTree.vmFolder)
        pools = LabPlaces.tree(
            labels.compactMap(\.resourcePool), type: "ResourcePool", prefix: "resgroup-",
            top: LabInventoryTree.pool)
        keys = Set(labels.flatMap(\.attributes.keys)).sorted().enumerated()
            .map { (name: $0.element, key: firstKey + $0.offset) }
    }

    private static func tree(
        _ paths: [String], type: String, prefix: String, top: VimReference
    ) -> [(path: String, place: Place)] {
        var all: Set<String> = []
        for path in paths {
            var rest = path[...]
            while !rest.isEmpty {
                all.insert(String(rest))
                rest = rest.lastIndex(of: "/").map { rest[..<$0] } ?? ""
            }
        }
        var places: [String: Place] = [:]
        // A parent's path is shorter and the same so far: it sorts before its children.
        return all.sorted().enumerated().map { offset, path in
            let cut = path.lastIndex(of: "/")
            let place = Place(
                reference: VimReference(type, "\(prefix)\(firstNumber + offset)"),
                name: escaped(cut.map { path[path.index(after: $0)...] } ?? path[...]),
                parent: cut.flatMap { places[String(path[..<$0])]?.reference } ?? top)
            places[path] = place
            return (path, place)
        }
    }

    /// `%`, `/` and `\` in names (facts/vsphere.md 2.3).
    private static func escaped(_ name: Substring) -> String {
        String(name).replacing("%", with: "%25").replacing("/", with: "%2f")
            .replacing("\\", with: "%5c")
    }

    var entities: [VimReference] { (folders + pools).map(\.place.reference) }

    func place(_ reference: VimReference) -> Place? {
        (folders + pools).first { $0.place.reference == reference }?.place
    }

    func children(of parent: VimReference) -> [VimReference] {
        (folders + pools).filter { $0.place.parent == parent }.map(\.place.reference)
    }

    func folder(of guest: LabGuestSpec) -> VimReference {
        folders.first { $0.path == guest.labels.folder }?.place.reference
            ?? LabInventoryTree.vmFolder
    }

    func pool(of guest: LabGuestSpec) -> VimReference {
        pools.first { $0.path == guest.labels.resourcePool }?.place.reference
            ?? LabInventoryTree.pool
    }

    // MARK: Custom attributes

    /// `CustomFieldsManager.field`.
    var fields: VimValue {
        .list(
            keys.map { name, key in
                .object(
                    VimObject(
                        "CustomFieldDef",
                        [
                            "key": .int(key), "name": .string(name), "type": .string("string"),
                            "managedObjectType": .string("VirtualMachine"),
                        ]))
            }, of: "CustomFieldDef")
    }

    /// `customValue` of a guest.
    func attributes(of guest: LabGuestSpec) -> VimValue {
        .list(
            keys.compactMap { name, key in
                guest.labels.attributes[name].map { value in
                    .object(
                        VimObject(
                            "CustomFieldStringValue",
                            ["key": .int(key), "value": .string(value)]))
                }
            }, of: "CustomFieldValue")
    }
}

/// Where numbers of places begin: past those of the fixed objects.
private let firstNumber = 100
private let firstKey = 101

extension LabInventoryTree {
    /// The question that guests with one ask (facts/esxi.md 1.4), as vim25 has it.
    static let question: VimObject = {
        let question = GuestQuestion.lab
        let choices = question.choices.map { choice in
            VimValue.object(
                VimObject(
                    "ElementDescription",
                    [
                        "label": .string(choice.label), "summary": .string(choice.label),
                        "key": .string(choice.key),
                    ]))
        }
        let messages = question.messages.map {
            VimValue.object(VimObject("VirtualMachineMessage", ["id": .string($0)]))
        }
        return VimObject(
            "VirtualMachineQuestionInfo",
            [
                "id": .string(question.id), "text": .string(question.text),
                "choice": .object(
                    VimObject(
                        "ChoiceOption",
                        [
                            "choiceInfo": .list(choices, of: "ElementDescription"),
                            "defaultIndex": .int(2),
                        ])),
                "message": .list(messages, of: "VirtualMachineMessage"),
            ])
    }()
}
