/// A guest as vCenter (or its host) shows it.
public struct Guest: Hashable, Codable, Sendable {
    /// Its identity: instanceUuid in lower case.
    public var id: GuestID
    /// The host it is registered on; nil when that is not known.
    public var host: HostName?
    /// Whether it is on.
    public var power: GuestPower
    /// Whether its Tools can be asked to shut it down.
    public var tools: ToolsState
    private var waitsWith: Shared<GuestQuestion>?
    private var traits: Shared<GuestTraits>

    /// A guest.
    public init(
        id: GuestID, name: String, reference: String?, vmxPath: String, host: HostName?,
        power: GuestPower, tools: ToolsState, nature: GuestNature,
        labels: GuestLabels = GuestLabels(), memoryMiB: Int? = nil,
        question: GuestQuestion? = nil
    ) {
        self.id = id
        self.host = host
        self.power = power
        self.tools = tools
        waitsWith = question.map(Shared.init)
        traits = Shared(
            GuestTraits(
                name: name, reference: reference, vmxPath: vmxPath, nature: nature,
                labels: labels, memoryMiB: memoryMiB))
    }

    /// The question that it waits with; until it is answered it follows no request.
    public var question: GuestQuestion? {
        get { waitsWith?.value }
        set { waitsWith = newValue.map(Shared.init) }
    }
    /// Whether it waits for an answer to a question.
    public var hasQuestion: Bool { waitsWith != nil }
    /// Its name. Not unique, not trusted: any text a person could type, line breaks too.
    public var name: String {
        get { traits.value.name }
        set { traits.value.name = newValue }
    }
    /// vCenter's reference, e.g. `vm-42`: a hint that changes when it is registered anew.
    public var reference: String? {
        get { traits.value.reference }
        set { traits.value.reference = newValue }
    }
    /// Its configuration file, e.g. `[datastore1] web/web.vmx`: what a host knows it by.
    public var vmxPath: String {
        get { traits.value.vmxPath }
        set { traits.value.vmxPath = newValue }
    }
    /// What kind of guest it is, as far as vCenter can tell.
    public var nature: GuestNature {
        get { traits.value.nature }
        set { traits.value.nature = newValue }
    }
    /// Where an administrator has put it: what tiers may choose by.
    public var labels: GuestLabels {
        get { traits.value.labels }
        set { traits.value.labels = newValue }
    }
    /// Its memory in MiB, where known: what a suspend has to write.
    public var memoryMiB: Int? {
        get { traits.value.memoryMiB }
        set { traits.value.memoryMiB = newValue }
    }
    /// Its encryption, where a snapshot shows one.
    public var encryption: GuestEncryption? {
        get { traits.value.encryption }
        set { traits.value.encryption = newValue }
    }
    /// The methods that would stop it, of those that a snapshot shows to be disabled; nil for none.
    public var disabledMethods: [String]? {
        get { traits.value.disabledMethods }
        set { traits.value.disabledMethods = newValue }
    }

    private enum CodingKeys: String, CodingKey {
        case id, host, power, tools, hasQuestion, question
    }

    /// Reads a guest.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(GuestID.self, forKey: .id)
        host = try values.decodeIfPresent(HostName.self, forKey: .host)
        power = try values.decode(GuestPower.self, forKey: .power)
        tools = try values.decode(ToolsState.self, forKey: .tools)
        let question = try values.decodeIfPresent(GuestQuestion.self, forKey: .question)
        // Older records say only whether there is one.
        let hasOne = try values.decode(Bool.self, forKey: .hasQuestion)
        waitsWith = (question ?? (hasOne ? .unknown : nil)).map(Shared.init)
        traits = Shared(try GuestTraits(from: decoder))
    }

    /// Writes a guest, its traits beside the rest.
    public func encode(to encoder: any Encoder) throws {
        try traits.value.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encodeIfPresent(host, forKey: .host)
        try values.encode(power, forKey: .power)
        try values.encode(tools, forKey: .tools)
        try values.encode(hasQuestion, forKey: .hasQuestion)
        try values.encodeIfPresent(question, forKey: .question)
    }
}

/// What of a guest seldom changes. Guests are copied all the time, and share it.
private struct GuestTraits: Hashable, Codable, Sendable {
    var name: String
    var reference: String?
    var vmxPath: String
    var nature: GuestNature
    var labels: GuestLabels
    var memoryMiB: Int?
    var encryption: GuestEncryption?
    var disabledMethods: [String]?
}

/// A value that copies share until one of them changes it.
private struct Shared<Value: Hashable & Sendable>: Hashable, Sendable {
    private final class Box: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private var box: Box

    init(_ value: Value) { box = Box(value) }

    var value: Value {
        get { box.value }
        set { box = Box(newValue) }
    }

    static func == (left: Shared, right: Shared) -> Bool {
        left.box === right.box || left.box.value == right.box.value
    }

    func hash(into hasher: inout Hasher) { hasher.combine(box.value) }
}

/// Where an administrator has put a guest: what tiers may choose by.
public struct GuestLabels: Hashable, Codable, Sendable {
    /// Its folder below the datacenter's "vm" folder, e.g. `Prod/Web`; empty at the top; nil when
    /// not known. Of a guest in a vApp: the folder that the vApp is in.
    public var folder: String?
    /// Its resource pool below the cluster's own, e.g. `High/Databases`; empty in the cluster's
    /// own; nil when not known. A vApp is a resource pool.
    public var resourcePool: String?
    /// Its vSphere tags as `category/name`, sorted.
    public var tags: [String]
    /// Its custom attributes.
    public var attributes: [String: String]

    /// Labels; none are known by default.
    public init(
        folder: String? = nil, resourcePool: String? = nil, tags: [String] = [],
        attributes: [String: String] = [:]
    ) {
        self.folder = folder
        self.resourcePool = resourcePool
        self.tags = tags.sorted()
        self.attributes = attributes
    }
}

/// Whether a guest is on.
public enum GuestPower: String, Hashable, Codable, Sendable {
    /// Running.
    case on
    /// Off.
    case off
    /// Its memory is on disk: not on, and to be left alone.
    case suspended
    /// Not known: its host does not answer, or the object is broken. Never taken for off.
    case unknown
}

/// Whether VMware Tools answer inside a guest (`guest.toolsRunningStatus`).
public enum ToolsState: String, Hashable, Codable, Sendable {
    /// Running: a shutdown can be asked for.
    case running
    /// Running a script: a request may be refused for a moment.
    case busy
    /// Not running, or not installed.
    case absent
    /// Not known.
    case unknown
}

/// What kind of guest it is.
public enum GuestNature: String, Hashable, Codable, Sendable {
    /// One to shut down and start again.
    case ordinary
    /// It belongs to the cluster (vCLS): never a target; goes by itself in retreat mode.
    case vcls
    /// vCLS that a host runs in its own memory (8.0U3 and newer): never a target; the host ends it
    /// as it enters maintenance mode.
    case embeddedVCLS
    /// Another solution's agent (NSX, vSAN file service): never a target.
    case agent
    /// A template: has no power.
    case template
    /// The shadow of a fault-tolerant guest: goes with its primary.
    case ftSecondary
    /// Orphaned, inaccessible or invalid: reported, never a target.
    case unusable
}

/// A host as vCenter shows it.
public struct HostView: Hashable, Codable, Sendable {
    /// Its name.
    public var name: HostName
    /// vCenter's reference, e.g. `host-9`.
    public var reference: String?
    /// Whether vCenter is in touch with it.
    public var connected: Bool
    /// Whether it is in maintenance mode.
    public var inMaintenance: Bool
    /// Whether an HA agent is configured on it (`runtime.dasHostState` present).
    public var haAgentConfigured: Bool
    /// Its release; nil where vCenter does not say, and in older records.
    public var apiVersion: VersionNumber?
    /// What is wrong with its HA agent and does not pass by itself, in vCenter's word
    /// (`uninitializationError`); nil where nothing is.
    public var haAgentFault: String?
    /// Whether UEFI Secure Boot is on; nil where vCenter does not say, and in older records.
    public var secureBoot: Bool?
    /// Whether it starts guests by itself as it boots, where HA is off; nil as above.
    public var startsByItself: Bool?
    private var standby: Bool?

    /// Whether DPM has put it to sleep: nothing runs on it, and nothing reaches it.
    public var inStandby: Bool {
        get { standby ?? false }
        // Absent in the records of a release that did not know of it.
        set { standby = newValue ? true : nil }
    }

    /// A host.
    public init(
        name: HostName, reference: String? = nil, connected: Bool = true,
        inMaintenance: Bool = false, haAgentConfigured: Bool = false,
        apiVersion: VersionNumber? = nil
    ) {
        self.name = name
        self.reference = reference
        self.connected = connected
        self.inMaintenance = inMaintenance
        self.haAgentConfigured = haAgentConfigured
        self.apiVersion = apiVersion
    }
}

/// The hosts and guests of one cluster at one moment, each list sorted by name or identity.
public struct Inventory: Hashable, Codable, Sendable {
    /// Grows whenever something in it changed; compares only within one connection.
    public var version: UInt64
    /// Guests that the site file does not name, and that were found.
    public var found = FoundGuests()
    private var sortedHosts: [HostView]
    private var sortedGuests: [Guest]

    private enum CodingKeys: String, CodingKey {
        case version, found
        case sortedHosts = "hosts"
        case sortedGuests = "guests"
    }

    /// An inventory; sorts what it is given.
    public init(version: UInt64, hosts: [HostView], guests: [Guest]) {
        self.version = version
        sortedHosts = Self.sorted(hosts)
        sortedGuests = Self.sorted(guests)
    }

    /// The hosts, sorted by name; sorted again when they are set.
    public var hosts: [HostView] {
        get { sortedHosts }
        set { sortedHosts = Self.sorted(newValue) }
    }

    /// The guests, sorted by identity; sorted again when they are set. Absent means unknown,
    /// never off.
    public var guests: [Guest] {
        get { sortedGuests }
        set { sortedGuests = Self.sorted(newValue) }
    }

    /// Changes the guest of this identity, all but that; where there is none, nothing changes. To
    /// set one of twenty thousand through `guests` looks at all of them.
    public mutating func updateGuest(_ id: GuestID, _ change: (inout Guest) -> Void) {
        if let place = Self.place(of: id, in: sortedGuests) {
            change(&sortedGuests[place])
        }
    }

    /// Puts this host in the place of the one of its name; where there is none, nothing changes.
    public mutating func update(_ host: HostView) {
        if let place = Self.place(of: host.name, in: sortedHosts) {
            sortedHosts[place] = host
        }
    }

    /// Reads an inventory, and sorts what was written in another order.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            version: try values.decode(UInt64.self, forKey: .version),
            hosts: try values.decode([HostView].self, forKey: .sortedHosts),
            guests: try values.decode([Guest].self, forKey: .sortedGuests))
        found = try values.decodeIfPresent(FoundGuests.self, forKey: .found) ?? found
    }

    /// The guest of this identity.
    public func guest(_ id: GuestID) -> Guest? {
        Self.place(of: id, in: sortedGuests).map { sortedGuests[$0] }
    }

    /// How many guests of a kind are in such a state. Looks at each in its place: to copy one costs
    /// more.
    public func count(_ nature: GuestNature, where fits: (GuestPower) -> Bool) -> Int {
        sortedGuests.indices.count {
            sortedGuests[$0].nature == nature && fits(sortedGuests[$0].power)
        }
    }

    /// The host of this name.
    public func host(_ name: HostName) -> HostView? {
        Self.place(of: name, in: sortedHosts).map { sortedHosts[$0] }
    }

    private static func sorted<Thing: InOrder>(_ list: [Thing]) -> [Thing] {
        // Most lists come sorted; to look is much cheaper than to sort.
        let isSorted = list.indices.dropFirst().allSatisfy {
            list[$0 - 1].sortKey <= list[$0].sortKey
        }
        return isSorted ? list : list.sorted { $0.sortKey < $1.sortKey }
    }

    /// The place of the first of these, which are sorted, with this key.
    private static func place<Thing: InOrder>(of wanted: Thing.SortKey, in list: [Thing]) -> Int? {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].sortKey < wanted { low = middle + 1 } else { high = middle }
        }
        return low < list.count && list[low].sortKey == wanted ? low : nil
    }
}

/// What an inventory keeps sorted, and by what. Not a closure: to call one copies what it looks at.
private protocol InOrder {
    associatedtype SortKey: Comparable
    var sortKey: SortKey { get }
}

extension Guest: InOrder {
    fileprivate var sortKey: GuestID { id }
}

extension HostView: InOrder {
    fileprivate var sortKey: HostName { name }
}

/// A cluster at one moment: what an outage's journal begins with.
public struct ClusterSnapshot: Hashable, Codable, Sendable {
    /// The cluster.
    public var cluster: ClusterName
    /// vCenter's reference of it, e.g. `domain-c8`.
    public var reference: String
    /// Its hosts and guests.
    public var inventory: Inventory
    /// Its automation, as it was before vpower changed anything.
    public var automation: Automation
    /// Whether its storage is vSAN: then its hosts must not be shut down one by one.
    public var hasVSAN: Bool
    /// vCenter's own release; nil where vCenter did not answer, and in older records.
    public var apiVersion: VersionNumber?
    /// What could not be read and is missing in it, as an operator would say it. Only labels can
    /// be missing: without anything else there is no snapshot.
    public var warnings: [String]
    /// What addresses the site file's names had: DNS may be one of the guests that go down.
    public var addresses: [String: [String]]

    /// A snapshot.
    public init(
        cluster: ClusterName, reference: String, inventory: Inventory, automation: Automation,
        hasVSAN: Bool = false, apiVersion: VersionNumber? = nil, warnings: [String] = [],
        addresses: [String: [String]] = [:]
    ) {
        self.addresses = addresses
        self.cluster = cluster
        self.reference = reference
        self.inventory = inventory
        self.automation = automation
        self.hasVSAN = hasVSAN
        self.apiVersion = apiVersion
        self.warnings = warnings
    }

    private enum CodingKeys: String, CodingKey {
        case cluster, reference, inventory, automation, hasVSAN, apiVersion, warnings, addresses
    }

    /// Reads a snapshot; one of an earlier release has no addresses.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            cluster: try values.decode(ClusterName.self, forKey: .cluster),
            reference: try values.decode(String.self, forKey: .reference),
            inventory: try values.decode(Inventory.self, forKey: .inventory),
            automation: try values.decode(Automation.self, forKey: .automation),
            hasVSAN: try values.decode(Bool.self, forKey: .hasVSAN),
            apiVersion: try values.decodeIfPresent(VersionNumber.self, forKey: .apiVersion),
            warnings: try values.decode([String].self, forKey: .warnings),
            addresses: try values.decodeIfPresent([String: [String]].self, forKey: .addresses)
                ?? [:])
    }
}
