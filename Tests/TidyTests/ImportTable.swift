/// What each target may import: all of it, the toolchain's own modules included.
///
/// The compiler's gate (`--explicit-target-dependency-import-check error`) knows what Package.swift
/// declares, but lets a target import what its dependencies bring along. This table does not.
enum ImportTable {
    /// The targets from top to bottom, as DESIGN lists them: an import points down only.
    static let order = [
        "vpower", "vpower-notify", "PowerService", "PowerLab", "PowerStore", "NUT", "VSphere",
        "ESXi", "Machines", "PowerRun", "PowerModel", "Transport", "CLibSSH2", "CLibCurl",
        "CLibXML2",
        "Templates",
    ]

    /// Targets that know one part of the outside world each, and never each other.
    static let adapters: Set<String> = [
        "PowerLab", "PowerStore", "NUT", "VSphere", "ESXi", "Machines",
    ]

    private static let engine: Set<String> = ["PowerRun", "PowerModel"]
    /// Locks, and the small Foundation without ICU.
    private static let basics: Set<String> = ["Synchronization", "FoundationEssentials"]
    /// The system's C library, under its two names.
    private static let system: Set<String> = ["Glibc", "Musl"]
    private static let nio: Set<String> = ["NIOCore", "NIOPosix"]

    /// Target to modules.
    static let allowed: [String: Set<String>] = [
        "PowerModel": [],
        "PowerRun": ["PowerModel", "Logging", "Synchronization"],
        "Transport": basics.union(system).union(["CLibSSH2", "CLibCurl", "Dispatch"]),
        "Templates": basics.union(["Mustache"]),
        "Machines": engine.union(basics).union(system).union(["Transport"]),
        "ESXi": engine.union(basics).union(["Transport", "Templates"]),
        "VSphere": engine.union(basics).union(["Transport", "CLibXML2", "Foundation"]),
        "NUT": engine.union(basics).union(system).union(nio).union(["NIOSSL"]),
        "PowerStore": engine.union(basics).union(system)
            .union(["Dispatch", "Foundation", "Yams", "GRDB"]),
        "PowerLab": engine.union(basics).union(system).union(nio)
            .union(["Dispatch", "Foundation", "FoundationXML", "HTTPTypes", "Hummingbird"])
            .union(["HummingbirdCore", "HummingbirdTLS", "Logging", "NIOSSL"]),
        "PowerService": engine.union(basics).union(system).union(nio)
            .union(["Foundation", "Dispatch", "Logging", "ServiceLifecycle", "UnixSignals"]),
        "vpower": engine.union(basics).union(system).union([
            "PowerService", "PowerLab", "PowerStore", "NUT", "VSphere", "ESXi", "Machines",
            "Transport", "Templates", "Logging", "ArgumentParser", "ServiceLifecycle",
            "Foundation", "Dispatch", "Subprocess",
            "SystemPackage",
        ]),
        "vpower-notify": system,
        "CLibSSH2": [],
        "CLibCurl": [],
        "CLibXML2": [],
    ]
}

extension SwiftText {
    /// The modules this file imports, each with its line.
    var imports: [(module: String, line: Int)] {
        let kinds: Set<String> = [
            "struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor",
        ]
        return tokens.indices.compactMap { index in
            guard tokens[index].text == "import", index + 1 < tokens.count else { return nil }
            // `.import` and `import:` are somebody's names, not declarations.
            if index > 0, tokens[index - 1].text == "." { return nil }
            var next = index + 1
            if kinds.contains(tokens[next].text), next + 1 < tokens.count { next += 1 }
            guard tokens[next].line == tokens[index].line, tokens[next].spaced else { return nil }
            return (tokens[next].text, tokens[index].line)
        }
    }

    /// Imports of this file that are not in the table's row, or in no target's row at all.
    func importsOutside(_ allowed: Set<String>?) -> [String] {
        imports.filter { allowed?.contains($0.module) != true }
            .map { "\(path):\($0.line): import \($0.module) is not in the target's import table" }
    }
}
