/// The properties of one managed object, as far as vCenter could read them.
struct ObjectProperties: Hashable, Sendable {
    /// The object.
    var reference: Reference
    /// Values by path. What is unset is absent.
    var values: [String: Element] = [:]
    /// Paths that could not be read, with the fault's type.
    var unreadable: [String: String] = [:]

    /// The value at a path.
    subscript(_ path: String) -> Element? { values[path] }
}

/// Which properties of which kinds of objects to read.
struct PropertyChoice: Hashable, Sendable {
    /// The managed object's type.
    var kind: String
    /// Property paths.
    var paths: [String]
}

extension VimClient {
    /// A view of all objects of these choices below the root. Dies with the session; destroy it.
    func createView(
        of choices: [PropertyChoice], in session: Session, within limit: Duration
    ) async throws(CallFailure) -> Reference {
        let reply = try await call(
            .createContainerView, on: session.content.viewManager, in: session, within: limit
        ) {
            $0.add("container", session.content.rootFolder)
            $0.add(
                "type", all: choices.map(\.kind).filter { $0 != LabelReading.fieldManager })
            $0.add("recursive", true)
        }
        return try Self.returned(reply)
    }

    /// Gives a view, a filter or a collector back. What cannot be given back dies with the
    /// session.
    func discard(_ reference: Reference, with method: VimMethod, in session: Session) async {
        do throws(CallFailure) {
            _ = try await call(method, on: reference, in: session, within: Self.discardLimit)
        } catch {
            // Nothing depends on it.
        }
    }

    /// Nobody waits longer for something that is not needed any more.
    private static let discardLimit: Duration = .seconds(5)

    /// A void method's or a reference's reply.
    static func returned(_ reply: Element) throws(CallFailure) -> Reference {
        guard let reference = reply["returnval"]?.reference else {
            throw .unreadable("<\(reply.name)> returns no reference")
        }
        return reference
    }

    /// All objects of a view with these properties: every page, or an error. Never a part.
    func read(
        _ choices: [PropertyChoice], view: Reference, in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> [ObjectProperties] {
        try await readPages(in: session, limits: limits) {
            $0.add("specSet", all: [view], "PropertyFilterSpec") {
                Self.addFilter(choices, view: $0, in: session, to: &$1)
            }
        }
    }

    /// Objects that are known by reference. One that is gone is a `ManagedObjectNotFound` fault.
    func read(
        _ choices: [PropertyChoice], of objects: [Reference], in session: Session,
        limits: VCenterLimits
    ) async throws(CallFailure) -> [ObjectProperties] {
        guard !objects.isEmpty else { return [] }
        return try await readPages(in: session, limits: limits) {
            $0.add("specSet", all: [objects], "PropertyFilterSpec") { objects, spec in
                Self.addChoices(choices, to: &spec)
                spec.add("objectSet", all: objects, "ObjectSpec") { $1.add("obj", $0) }
            }
        }
    }

    /// The objects that a property of another one refers to, e.g. the VMs of a host.
    func read(
        _ choices: [PropertyChoice], along path: String, of object: Reference,
        in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> [ObjectProperties] {
        try await readPages(in: session, limits: limits) {
            $0.add("specSet", all: [object], "PropertyFilterSpec") { object, spec in
                Self.addChoices(choices, to: &spec)
                spec.add("objectSet", all: [object], "ObjectSpec") {
                    $1.add("obj", $0)
                    $1.add("skip", true)
                    $1.add("selectSet", .array([Self.walk(along: path, from: $0)]))
                }
            }
        }
    }

    private static func walk(along path: String, from object: Reference) -> VimValue {
        .object(
            type: "TraversalSpec", isDerived: true,
            VimFields {
                $0.add("type", object.kind)
                $0.add("path", path)
                $0.add("skip", false)
            })
    }

    private func readPages(
        in session: Session, limits: VCenterLimits, _ specification: (inout VimFields) -> Void
    ) async throws(CallFailure) -> [ObjectProperties] {
        let collector = session.content.propertyCollector
        var reply = try await call(
            .retrievePropertiesEx, on: collector, in: session, within: limits.read
        ) {
            specification(&$0)
            $0.add("options", "RetrieveOptions") { $0.add("maxObjects", limits.pageObjects) }
        }
        var objects: [ObjectProperties] = []
        for _ in 0..<Self.pagesLimit {
            // No returnval at all means that nothing matched.
            guard let result = reply["returnval"] else { return objects }
            objects += try Self.objects(in: result)
            guard let token = result["token"]?.text, !token.isEmpty else { return objects }
            reply = try await call(
                .continueRetrievePropertiesEx, on: collector, in: session, within: limits.read
            ) { $0.add("token", token) }
            guard reply["returnval"] != nil else {
                throw .unreadable("has a page missing after token \(token)")
            }
        }
        throw .unreadable("has more than \(Self.pagesLimit) pages")
    }

    /// A server that pages by 100 shows 100 000 objects in these.
    private static let pagesLimit = 1000

    /// The fields of a `PropertyFilterSpec` over a view, and over the manager of custom attributes
    /// if it is chosen.
    static func addFilter(
        _ choices: [PropertyChoice], view: Reference, in session: Session,
        to spec: inout VimFields
    ) {
        addChoices(choices, to: &spec)
        var starts = [view]
        if let manager = session.content.customFieldsManager,
            choices.contains(where: { $0.kind == manager.kind })
        {
            starts.append(manager)
        }
        spec.add("objectSet", all: starts, "ObjectSpec") { start, object in
            object.add("obj", start)
            guard start == view else { return }
            object.add("skip", true)
            object.add("selectSet", .array([Self.everything(in: view)]))
        }
    }

    private static func everything(in view: Reference) -> VimValue {
        .object(
            type: "TraversalSpec", isDerived: true,
            VimFields {
                $0.add("name", "view")
                $0.add("type", view.kind)
                $0.add("path", "view")
                $0.add("skip", false)
            })
    }

    private static func addChoices(_ choices: [PropertyChoice], to spec: inout VimFields) {
        spec.add("propSet", all: choices, "PropertySpec") { choice, property in
            property.add("type", choice.kind)
            property.add("pathSet", all: choice.paths)
        }
    }

    /// The objects of one page (`RetrieveResult`).
    static func objects(in result: Element) throws(CallFailure) -> [ObjectProperties] {
        var objects: [ObjectProperties] = []
        for object in result.all("objects") { objects.append(try properties(object)) }
        return objects
    }

    private static func properties(_ content: Element) throws(CallFailure) -> ObjectProperties {
        guard let reference = content["obj"]?.reference else {
            throw .unreadable("has an object without a reference")
        }
        var object = ObjectProperties(reference: reference)
        for property in content.all("propSet") {
            guard let name = property["name"]?.text, let value = property["val"] else {
                throw .unreadable("has a property of \(reference.id) without a name or a value")
            }
            object.values[name] = value
        }
        for missing in content.all("missingSet") {
            guard let path = missing["path"]?.text, let fault = missing["fault"] else {
                throw .unreadable("has an unread property of \(reference.id) without a path")
            }
            object.unreadable[path] = VimFault(localized: fault).type
        }
        return object
    }
}
