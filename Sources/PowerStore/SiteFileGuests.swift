import PowerModel

/// What a cluster says of its guests.
struct SiteGuests {
    var tiers: [TierSite]?
    var defaultTier: TierName?
    var infrastructure: GuestChoice
    var rules: [GuestRule]
}

/// Where each word of a choice was given first, by what it is a word for.
typealias ChoiceLines = [String: [String: Int]]

/// The sections `tiers`, `infrastructure` and `guests` of a cluster.
extension SiteReader {
    func guests(_ cluster: SiteMap) -> SiteGuests {
        let defaultTier = cluster.required("defaultTier", .name("the name of a tier"))
        var names: [String: Int] = [:]
        var seen: ChoiceLines = [:]
        let items = cluster.requiredList("tiers", of: "tiers, the first to go down first")
        let tiers = items?.compactMap {
            tier($0, names: &names, seen: &seen, defaultTier: defaultTier)
        }
        // Only a list in which every tier has a name can say that a name is unknown.
        if let defaultTier, let node = cluster["defaultTier"], !names.isEmpty,
            names.count == items?.count
        {
            checkKnown("tier", defaultTier, at: node, in: names)
        }
        let infrastructure = choice(cluster, "infrastructure", seen: &seen) ?? []
        let rules = cluster.list("guests", of: "rules for single guests") ?? []
        return SiteGuests(
            tiers: tiers, defaultTier: defaultTier.map { TierName($0) },
            infrastructure: infrastructure, rules: rules.compactMap(rule))
    }

    // MARK: Tiers

    private func tier(
        _ node: YAMLNode, names: inout [String: Int], seen: inout ChoiceLines,
        defaultTier: String?
    ) -> TierSite? {
        let keys =
            ["name"] + Self.choiceKeys + [
                "limit", "onLimit", "shed", "keepOff", "startDelay", "waitForTools", "before",
                "after",
            ]
        guard let map = SiteMap(node, "the tier", keys: keys, self) else { return nil }
        let name = uniqueName(map, "tier", in: &names)
        let choice = choice(map, seen: &seen)
        // The default tier has the guests that no tier names, so it need not name any.
        if let name, name != defaultTier { checkNamesSome(map) }
        let tier = TierSite(
            name: TierName(name ?? ""), choice: choice,
            limit: map.value("limit", .duration()) ?? TierSite.limitDefault,
            onLimit: map.value("onLimit", .oneWord) ?? .powerOff, shed: shed(map),
            keepOff: map.value("keepOff", .yesOrNo) ?? false,
            startDelay: map.value("startDelay", .duration(atLeast: .zero)) ?? .zero,
            waitForTools: map.value("waitForTools", .yesOrNo) ?? false,
            before: hooks(map, "before"), after: hooks(map, "after"))
        return name == nil ? nil : tier
    }

    private func checkNamesSome(_ tier: SiteMap) {
        let given = Self.choiceKeys.compactMap { key in tier[key].map { (key, $0) } }
        if given.isEmpty {
            let others = Self.choiceKeys.dropFirst().map { "`\($0)`" }.joined(separator: ", ")
            tier.missing("guests", "a list of names or patterns; or one of \(others)")
        }
        if let (key, node) = given.first, given.allSatisfy({ $0.1.isEmpty }) {
            report(
                node, "`\(key)` is empty: only the default tier needs no guests of its own")
        }
    }

    private func shed(_ tier: SiteMap) -> ShedTrigger? {
        let keys = ["onBatteryFor", "runtimeBelow", "chargeBelow"]
        guard let node = tier["shed"], let map = SiteMap(node, "`shed`", keys: keys, self) else {
            return nil
        }
        if !keys.contains(where: { map[$0] != nil }) {
            report(node, "`shed` never comes true; give one of \(keys.joined(separator: ", "))")
        }
        return ShedTrigger(
            onBatteryFor: map.value("onBatteryFor", .duration(atLeast: .zero)),
            runtimeBelow: map.value("runtimeBelow", .duration()),
            chargeBelowPercent: map.value("chargeBelow", .percent))
    }

    private func hooks(_ tier: SiteMap, _ key: String) -> [Hook] {
        (tier.list(key, of: "commands, e.g. {command: [/usr/bin/true], limit: 1m}") ?? [])
            .compactMap(hook)
    }

    private func hook(_ node: YAMLNode) -> Hook? {
        guard let map = SiteMap(node, "the hook", keys: ["command", "limit"], self) else {
            return nil
        }
        let words = map.requiredList("command", of: "an absolute path and its arguments")
        let program = words?.first.flatMap { value(of: $0, named: "the program", .path) }
        let arguments = words?.dropFirst()
            .compactMap { value(of: $0, named: "the argument", .argument) }
        let limit = map.value("limit", .duration()) ?? Hook.limitDefault
        guard let program, let arguments else { return nil }
        return Hook(command: [program] + arguments, limit: limit)
    }

    // MARK: Rules

    private func rule(_ node: YAMLNode) -> GuestRule? {
        let terms = ["limit", "onLimit", "keepOff", "startDelay", "waitForTools", "after"]
        guard let map = SiteMap(node, "the rule", keys: ["match"] + terms, self) else {
            return nil
        }
        if map["match"] == nil { map.missing("match", Self.choiceExpected) }
        if !terms.contains(where: { map[$0] != nil }) {
            report(node, "the rule says nothing; give one of \(terms.joined(separator: ", "))")
        }
        var matchLines: ChoiceLines = [:]
        var afterLines: ChoiceLines = [:]
        let choice = someChoice(map, "match", seen: &matchLines)
        let rule = GuestRule(
            choice: choice ?? [], limit: map.value("limit", .duration()),
            onLimit: map.value("onLimit", .oneWord), keepOff: map.value("keepOff", .yesOrNo),
            startDelay: map.value("startDelay", .duration(atLeast: .zero)),
            waitForTools: map.value("waitForTools", .yesOrNo),
            after: someChoice(map, "after", seen: &afterLines))
        return choice == nil ? nil : rule
    }

    /// A choice that must fit some guest.
    private func someChoice(
        _ map: SiteMap, _ key: String, seen: inout ChoiceLines
    ) -> GuestChoice? {
        let choice = choice(map, key, seen: &seen)
        if let node = map[key], node.isEmpty {
            report(node, "`\(key)` is empty; expected \(Self.choiceExpected)")
        }
        return choice
    }

    // MARK: Choices

    private static let choiceKeys = ["guests", "folders", "resourcePools", "tags", "attributes"]
    private static let namesExpected = "names or patterns, e.g. [\"*-db\", web01]"
    private static let choiceExpected =
        "a list of \(namesExpected), or the keys \(choiceKeys.joined(separator: ", "))"

    /// A choice that is a list of names, or a group of keys.
    private func choice(
        _ map: SiteMap, _ key: String, seen: inout ChoiceLines
    ) -> GuestChoice? {
        guard let node = map[key] else { return nil }
        switch node.content {
        case .list(let items): return GuestChoice(names: patterns(items, .guest, seen: &seen))
        case .map:
            return SiteMap(node, "`\(key)`", keys: Self.choiceKeys, self)
                .map { choice($0, seen: &seen) }
        case .text:
            report(node, "`\(key)` is \(node.kind); expected \(Self.choiceExpected)")
            return nil
        }
    }

    /// A choice by its keys.
    private func choice(_ map: SiteMap, seen: inout ChoiceLines) -> GuestChoice {
        func patterns(_ key: String, _ kind: ChoiceKind, of expected: String) -> [GuestPattern] {
            self.patterns(map.list(key, of: expected) ?? [], kind, seen: &seen)
        }
        return GuestChoice(
            names: patterns("guests", .guest, of: Self.namesExpected),
            folders: patterns("folders", .folder, of: "folders, e.g. [Prod/Web]"),
            resourcePools: patterns("resourcePools", .pool, of: "resource pools, e.g. [High]"),
            tags: patterns("tags", .tag, of: "tags, e.g. [Backup/nightly]"),
            attributes: attributes(map))
    }

    /// What a word of a choice stands for.
    private struct ChoiceKind {
        var name: String
        var value: SiteValue<GuestPattern>

        static let guest = ChoiceKind(name: "the guest", value: .pattern)
        static let folder = ChoiceKind(name: "the folder", value: .place)
        static let pool = ChoiceKind(name: "the resource pool", value: .place)
        static let tag = ChoiceKind(name: "the tag", value: .tag)
    }

    private func patterns(
        _ items: [YAMLNode], _ kind: ChoiceKind, seen: inout ChoiceLines
    ) -> [GuestPattern] {
        var patterns: [GuestPattern] = []
        for item in items {
            guard let pattern = value(of: item, named: kind.name, kind.value) else { continue }
            checkUnique(kind.name, pattern.text, at: item, in: &seen[kind.name, default: [:]])
            patterns.append(pattern)
        }
        return patterns
    }

    private func attributes(_ map: SiteMap) -> [String: GuestPattern] {
        guard let node = map["attributes"] else { return [:] }
        guard case .map(let pairs) = node.content else {
            report(
                node,
                "`attributes` is \(node.kind); expected names of custom attributes with a value"
                    + " each, e.g. {Owner: \"team-*\"}")
            return [:]
        }
        var attributes: [String: GuestPattern] = [:]
        var lines: [String: Int] = [:]
        for pair in pairs {
            let expected = "a custom attribute's name"
            guard let name = value(of: pair.key, named: "the attribute", .name(expected))
            else { continue }
            checkUnique("the attribute", name, at: pair.key, in: &lines)
            attributes[name] = value(of: pair.value, named: quoted(name), .attribute)
        }
        return attributes
    }
}

extension YAMLNode {
    /// Whether nothing is in it.
    fileprivate var isEmpty: Bool {
        switch content {
        case .text(let text): text.isEmpty
        case .list(let items): items.isEmpty
        case .map(let pairs): pairs.allSatisfy(\.value.isEmpty)
        }
    }
}
