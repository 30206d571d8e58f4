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

    /// Whether a guest fits. To ask of many guests, make a matcher once.
    public func matches(_ guest: Guest) -> Bool { GuestMatcher(self).matches(guest) }
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

/// A choice made ready to be asked of many guests: tens of thousands of them meet every tier.
struct GuestMatcher: Sendable {
    private let plainNames: Set<[UInt8]>
    private let identities: Set<String>
    private let names: [Glob]
    private let folders: [Glob]
    private let resourcePools: [Glob]
    private let tags: [Glob]
    private let attributes: [(name: String, value: Glob)]

    init(_ choice: GuestChoice) {
        let globs = choice.names.map { Glob($0.text) }
        plainNames = Set(globs.filter { !$0.hasStar }.map(\.text))
        names = globs.filter(\.hasStar)
        identities = Set(choice.names.map { $0.text.lowercased() })
        folders = choice.folders.map { Glob($0.text) }
        resourcePools = choice.resourcePools.map { Glob($0.text) }
        tags = choice.tags.map { Glob($0.text) }
        attributes = choice.attributes.sorted { $0.key < $1.key }
            .map { ($0.key, Glob($0.value.text)) }
    }

    /// Whether a guest fits.
    func matches(_ guest: Guest) -> Bool {
        let name = Array(guest.name.utf8)
        return plainNames.contains(name) || identities.contains(guest.id.rawValue)
            || names.contains { $0.matches(name) } || matches(guest.labels)
    }

    private func matches(_ labels: GuestLabels) -> Bool {
        fits(labels.folder, folders) || fits(labels.resourcePool, resourcePools)
            || !tags.isEmpty
                && labels.tags.contains { tag in
                    let tag = Array(tag.utf8)
                    return tags.contains { $0.matches(tag) }
                }
            || attributes.contains { name, value in
                labels.attributes[name].map { value.matches(Array($0.utf8)) } ?? false
            }
    }

    private func fits(_ path: String?, _ globs: [Glob]) -> Bool {
        guard let path, !globs.isEmpty else { return false }
        let bytes = Array(path.utf8)
        return globs.contains { $0.matchesPath(bytes) }
    }
}

/// A pattern in bytes. UTF-8 is its own separator: what fits byte by byte fits character by
/// character.
private struct Glob: Sendable {
    let text: [UInt8]
    let hasStar: Bool

    private static let star = UInt8(ascii: "*")
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
