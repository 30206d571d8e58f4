/// Which guests are meant: those that fit any of these.
public struct GuestChoice: Hashable, Codable, Sendable, ExpressibleByArrayLiteral {
    /// By name, or by instanceUuid.
    public var names: [GuestPattern]
    /// By folder, as vCenter shows it below the datacenter's "vm" folder, e.g. `Prod/Web`; one
    /// matches everything below it too.
    public var folders: [GuestPattern]
    /// By resource pool below the cluster's own, e.g. `High/Databases`; one matches everything
    /// below it too.
    public var resourcePools: [GuestPattern]
    /// By vSphere tag, `category/name`.
    public var tags: [GuestPattern]
    /// By custom attribute: its name and a pattern of its value.
    public var attributes: [String: GuestPattern]

    /// A choice; an empty one fits no guest.
    public init(
        names: [GuestPattern] = [], folders: [GuestPattern] = [],
        resourcePools: [GuestPattern] = [], tags: [GuestPattern] = [],
        attributes: [String: GuestPattern] = [:]
    ) {
        self.names = names
        self.folders = folders
        self.resourcePools = resourcePools
        self.tags = tags
        self.attributes = attributes
    }

    /// A choice by name.
    public init(arrayLiteral elements: GuestPattern...) { self.init(names: elements) }

    /// Whether no guest can fit.
    public var isEmpty: Bool {
        names.isEmpty && folders.isEmpty && resourcePools.isEmpty && tags.isEmpty
            && attributes.isEmpty
    }

    /// What it names, for people.
    public var summary: String {
        let parts =
            names.map(\.text) + folders.map { "folder \($0.text)" }
            + resourcePools.map { "resource pool \($0.text)" } + tags.map { "tag \($0.text)" }
            + attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }
        return parts.map(\.onOneLine).joined(separator: ", ")
    }

    /// Whether a guest fits.
    public func matches(_ guest: Guest) -> Bool { !GuestChoices([self]).fitting(guest).isEmpty }
}

/// A guest's name, or a pattern of names in which `*` stands for any characters.
public struct GuestPattern: Hashable, Codable, Sendable, ExpressibleByStringLiteral {
    /// The pattern as written.
    public var text: String

    /// A pattern.
    public init(_ text: String) { self.text = text }
    /// A pattern.
    public init(stringLiteral value: String) { text = value }
    /// Reads a bare string.
    public init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }
    /// Writes a bare string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// Whether a guest's name fits, case and all.
    public func matches(_ name: String) -> Bool { Glob(text).matches(Array(name.utf8)) }

    /// Whether a path such as `Prod/Web/Old` fits, or one of those above it does.
    public func matchesPath(_ path: String) -> Bool { Glob(text).matchesPath(Array(path.utf8)) }
}

/// Choices made ready to be asked together, of tens of thousands of guests.
struct GuestChoices: Sendable {
    /// A pattern, and the place of the choice that has it.
    private typealias Part = (glob: Glob, place: Int)

    private var plainNames: [[UInt8]: [Int]] = [:]
    private var identities: [String: [Int]] = [:]
    /// Patterns of names by their first byte: most fit no guest, and are not even looked at.
    private var names: [UInt8: [Part]] = [:]
    private var folders: [Part] = []
    private var resourcePools: [Part] = []
    private var tags: [Part] = []
    private var attributes: [(name: String, value: Part)] = []

    init(_ choices: [GuestChoice]) {
        for (place, choice) in choices.enumerated() {
            for name in choice.names { add(name, place) }
            folders += choice.folders.map { (Glob($0.text), place) }
            resourcePools += choice.resourcePools.map { (Glob($0.text), place) }
            tags += choice.tags.map { (Glob($0.text), place) }
            attributes += choice.attributes.map { ($0.key, (Glob($0.value.text), place)) }
        }
    }

    private mutating func add(_ name: GuestPattern, _ place: Int) {
        let glob = Glob(name.text)
        identities[name.text.lowercased(), default: []].append(place)
        if glob.hasStar, let first = glob.text.first {
            names[first, default: []].append((glob, place))
        } else {
            plainNames[glob.text, default: []].append(place)
        }
    }

    /// The places of the choices that a guest fits, in order.
    func fitting(_ guest: Guest) -> [Int] {
        let name = Array(guest.name.utf8)
        var places = plainNames[name] ?? []
        places += identities[guest.id.rawValue] ?? []
        if !names.isEmpty {
            if let first = name.first { add(names[first] ?? [], to: &places) { $0.matches(name) } }
            add(names[Glob.star] ?? [], to: &places) { $0.matches(name) }
        }
        add(folders, at: guest.labels.folder, to: &places)
        add(resourcePools, at: guest.labels.resourcePool, to: &places)
        if !tags.isEmpty {
            for tag in guest.labels.tags {
                let tag = Array(tag.utf8)
                add(tags, to: &places) { $0.matches(tag) }
            }
        }
        for (name, part) in attributes {
            guard let value = guest.labels.attributes[name] else { continue }
            add([part], to: &places) { $0.matches(Array(value.utf8)) }
        }
        return places.count < 2 ? places : Set(places).sorted()
    }

    private func add(_ parts: [Part], at path: String?, to places: inout [Int]) {
        guard let path, !parts.isEmpty else { return }
        let bytes = Array(path.utf8)
        add(parts, to: &places) { $0.matchesPath(bytes) }
    }

    private func add(_ parts: [Part], to places: inout [Int], where fits: (Glob) -> Bool) {
        for part in parts where fits(part.glob) { places.append(part.place) }
    }
}

/// A pattern in bytes. UTF-8 is its own separator: what fits byte by byte fits character by
/// character.
private struct Glob: Sendable {
    let text: [UInt8]
    let hasStar: Bool

    static let star = UInt8(ascii: "*")
    private static let slash = UInt8(ascii: "/")

    init(_ pattern: String) {
        text = Array(pattern.utf8)
        hasStar = text.contains(Self.star)
    }

    func matches(_ subject: [UInt8]) -> Bool { matches(subject, count: subject.count) }

    func matchesPath(_ path: [UInt8]) -> Bool {
        matches(path, count: path.count)
            || path.indices.contains { path[$0] == Self.slash && matches(path, count: $0) }
    }

    /// Whether the first `count` bytes fit.
    private func matches(_ subject: [UInt8], count: Int) -> Bool {
        // The classic two-pointer match: `star` remembers where to resume. No recursion, so a
        // pattern of many stars cannot take exponential time.
        var inPattern = 0
        var inSubject = 0
        var star: (pattern: Int, subject: Int)?
        while inSubject < count {
            if inPattern < text.count, text[inPattern] == Self.star {
                star = (inPattern, inSubject)
                inPattern += 1
            } else if inPattern < text.count, text[inPattern] == subject[inSubject] {
                inPattern += 1
                inSubject += 1
            } else if let last = star {
                star = (last.pattern, last.subject + 1)
                inPattern = last.pattern + 1
                inSubject = last.subject + 1
            } else {
                return false
            }
        }
        return text[inPattern...].allSatisfy { $0 == Self.star }
    }
}
