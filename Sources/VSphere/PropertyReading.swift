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

extension SOAPClient {
    /// A view of all objects of these choices below the root. Dies with the session; destroy it.
    func createView(
        of choices: [PropertyChoice], in session: Session, within limit: Duration
    ) async throws(CallFailure) -> Reference {
        let reply = try await call(
            "CreateContainerView", on: session.content.viewManager, in: session, within: limit
        ) {
            $0.add("container", session.content.rootFolder)
            for choice in choices where choice.kind != LabelReading.fieldManager {
                $0.add("type", choice.kind)
            }
            $0.add("recursive", true)
        }
        return try Self.returned(reply)
    }

    /// Gives a view, a filter or a collector back. What cannot be given back dies with the
    /// session.
    func discard(_ reference: Reference, with method: String, in session: Session) async {
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
            Self.addFilter(choices, view: view, in: session, name: "specSet", to: &$0)
        }
    }

    /// Objects that are known by reference. One that is gone is a `ManagedObjectNotFound` fault.
    func read(
        _ choices: [PropertyChoice], of objects: [Reference], in session: Session,
        limits: VCenterLimits
    ) async throws(CallFailure) -> [ObjectProperties] {
        guard !objects.isEmpty else { return [] }
        return try await readPages(in: session, limits: limits) {
            $0.add("specSet") {
                Self.addChoices(choices, to: &$0)
                for object in objects {
                    $0.add("objectSet") { $0.add("obj", object) }
                }
            }
        }
    }

    /// The objects that a property of another one refers to, e.g. the VMs of a host.
    func read(
        _ choices: [PropertyChoice], along path: String, of object: Reference,
        in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> [ObjectProperties] {
        try await readPages(in: session, limits: limits) {
            $0.add("specSet") {
                Self.addChoices(choices, to: &$0)
                $0.add("objectSet") {
                    $0.add("obj", object)
                    $0.add("skip", true)
                    $0.add("selectSet", type: "TraversalSpec") {
                        $0.add("type", object.kind)
                        $0.add("path", path)
                        $0.add("skip", false)
                    }
                }
            }
        }
    }

    private func readPages(
        in session: Session, limits: VCenterLimits, _ specification: (inout XMLText) -> Void
    ) async throws(CallFailure) -> [ObjectProperties] {
        let collector = session.content.propertyCollector
        var reply = try await call(
            "RetrievePropertiesEx", on: collector, in: session, within: limits.read
        ) {
            specification(&$0)
            $0.add("options") { $0.add("maxObjects", String(limits.pageObjects)) }
        }
        var objects: [ObjectProperties] = []
        for _ in 0..<Self.pagesLimit {
            // No returnval at all means that nothing matched.
            guard let result = reply["returnval"] else { return objects }
            objects += try Self.objects(in: result)
            guard let token = result["token"]?.text, !token.isEmpty else { return objects }
            reply = try await call(
                "ContinueRetrievePropertiesEx", on: collector, in: session, within: limits.read
            ) { $0.add("token", token) }
            guard reply["returnval"] != nil else {
                throw .unreadable("has a page missing after token \(token)")
            }
        }
        throw .unreadable("has more than \(Self.pagesLimit) pages")
    }

    /// A server that pages by 100 shows 100 000 objects in these.
    private static let pagesLimit = 1000

    /// `PropertyFilterSpec` over a view, and over the manager of custom attributes if it is chosen.
    static func addFilter(
        _ choices: [PropertyChoice], view: Reference, in session: Session, name: String,
        to xml: inout XMLText
    ) {
        xml.add(name) {
            addChoices(choices, to: &$0)
            $0.add("objectSet") {
                $0.add("obj", view)
                $0.add("skip", true)
                $0.add("selectSet", type: "TraversalSpec") {
                    $0.add("name", "view")
                    $0.add("type", view.kind)
                    $0.add("path", "view")
                    $0.add("skip", false)
                }
            }
            if let manager = session.content.customFieldsManager,
                choices.contains(where: { $0.kind == manager.kind })
            {
                $0.add("objectSet") { $0.add("obj", manager) }
            }
        }
    }

    private static func addChoices(_ choices: [PropertyChoice], to xml: inout XMLText) {
        for choice in choices {
            xml.add("propSet") {
                $0.add("type", choice.kind)
                for path in choice.paths { $0.add("pathSet", path) }
            }
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
            object.unreadable[path] = SOAPFault(localized: fault).type
        }
        return object
    }
}
