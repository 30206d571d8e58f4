import PowerModel
import Transport

/// A value of vim25 in a request, before it is written as XML or as JSON.
indirect enum VimValue: Hashable, Sendable {
    /// A string, or a value of an enumeration.
    case text(String)
    case number(Int)
    case flag(Bool)
    case reference(Reference)
    /// A data object. `isDerived`: it is not of the declared type but of one derived from it, so
    /// that XML must say its type too; JSON always says it.
    case object(type: String, isDerived: Bool, VimFields)
    /// A simple value where any type is allowed: it says its own (`string`, `boolean`).
    case boxed(type: String, String)
    /// Elements of one array, in order.
    case array([VimValue])
}

/// The arguments of a call or the fields of a data object, in the schema's order: real servers
/// read XML sequences in order.
struct VimFields: Hashable, Sendable {
    /// Names and values, in order.
    private(set) var list: [Field] = []

    /// One field that is set. What is unset is left out.
    struct Field: Hashable, Sendable {
        var name: String
        var value: VimValue
    }

    /// No fields yet.
    init() {}

    /// Fields, built by `fill`.
    init(_ fill: (inout VimFields) -> Void) { fill(&self) }

    mutating func add(_ name: String, _ value: VimValue) {
        list.append(Field(name: name, value: value))
    }

    mutating func add(_ name: String, _ text: String) { add(name, .text(text)) }
    mutating func add(_ name: String, _ flag: Bool) { add(name, .flag(flag)) }
    mutating func add(_ name: String, _ number: Int) { add(name, .number(number)) }
    mutating func add(_ name: String, _ reference: Reference) { add(name, .reference(reference)) }

    /// A data object of exactly the declared type.
    mutating func add(_ name: String, _ type: String, _ fill: (inout VimFields) -> Void) {
        add(name, .object(type: type, isDerived: false, VimFields(fill)))
    }

    /// A data object of a type derived from the declared one.
    mutating func add(
        _ name: String, derived type: String, _ fill: (inout VimFields) -> Void
    ) {
        add(name, .object(type: type, isDerived: true, VimFields(fill)))
    }

    /// A simple value where the declared type is `anyType`.
    mutating func add(_ name: String, boxed type: String, _ text: String) {
        add(name, .boxed(type: type, text))
    }

    /// An array of strings.
    mutating func add(_ name: String, all texts: [String]) {
        add(name, .array(texts.map { .text($0) }))
    }

    /// An array of references.
    mutating func add(_ name: String, all references: [Reference]) {
        add(name, .array(references.map { .reference($0) }))
    }

    /// An array of data objects of exactly the declared type, one for each of `items`.
    mutating func add<Item>(
        _ name: String, all items: [Item], _ type: String,
        _ fill: (Item, inout VimFields) -> Void
    ) {
        add(
            name,
            .array(
                items.map { item in
                    .object(type: type, isDerived: false, VimFields { fill(item, &$0) })
                }))
    }
}

/// One call of a vim25 method on a managed object.
struct VimCall: Sendable {
    var method: VimMethod
    var object: Reference
    var arguments: VimFields
    /// Shows in vCenter's log, where the wire carries it.
    var operation: String
}

/// How calls are written and answers are read: one vocabulary, two forms of it.
protocol VimWire: Sendable {
    /// Which form it is.
    var transport: VCenterTransport { get }
    /// The vim25 version that requests and answers follow.
    var version: String { get }

    /// The HTTPS request of a call.
    ///
    /// - Throws: `.refused` for a value that cannot be sent.
    func request(
        _ call: VimCall, timeout: Duration, stallLimit: Duration?
    ) throws(CallFailure) -> HTTPSRequest

    /// Asks for `ServiceInstance.content`, which needs no login.
    func contentRequest(timeout: Duration) throws(CallFailure) -> HTTPSRequest

    /// The answer to a call as `<MethodResponse>` with its `returnval`, whatever its form was.
    ///
    /// - Throws: `.fault`, typed; `.status` for what is not vim's; `.unreadable`.
    func result(_ response: HTTPSResponse, of method: VimMethod) throws(CallFailure) -> Element

    /// The wire of the session that this answer to a login began.
    func loggedIn(by response: HTTPSResponse) throws(CallFailure) -> any VimWire
}
