// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with; a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

/// With this set there is only the core: PowerModel, PowerRun, the lab in memory, and what sweeps
/// and times them (`make soak`, `make bench`). In release that is built in minutes; all of it takes
/// ten times as long.
let isCoreAlone = Context.environment["VPOWER_CORE"] != nil

/// A target of ours. The import table in Tests/TidyTests says the same in full,
/// for what the compiler's own gate does not see.
func ours(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: strict)
}

/// The lab; alone with the core, only what is in memory.
let lab: Target =
    isCoreAlone
    ? .target(
        name: "PowerLab", dependencies: ["PowerRun", "PowerModel", log],
        exclude: ["ESXi", "Parts", "VCenter", "Wire"], swiftSettings: strict)
    : ours(
        "PowerLab",
        [
            "PowerRun", "PowerModel", log,
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HummingbirdCore", package: "hummingbird"),
            .product(name: "HummingbirdTLS", package: "hummingbird"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ] + nio)

let core: [Target] = [
    ours("PowerModel", []),
    ours("PowerRun", ["PowerModel", log]),
    lab,
    tests("Drills", ["PowerModel", "PowerRun", "PowerLab"]),
    .executableTarget(
        name: "benchmarks", dependencies: ["PowerModel", "PowerRun", "PowerLab"],
        path: "Tests/Benchmarks", swiftSettings: strict),
]

let others: [Target] = [
    .systemLibrary(
        name: "CLibSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"])]),
    .systemLibrary(
        name: "CLibCurl", pkgConfig: "libcurl",
        providers: [.apt(["libcurl4-openssl-dev", "libssl-dev"])]),
    .systemLibrary(
        name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),

    ours("Transport", ["CLibSSH2", "CLibCurl"]),
    ours("Machines", ["PowerRun", "PowerModel", "Transport"]),
    ours("ESXi", ["PowerRun", "PowerModel", "Transport", "Templates"]),
    ours("VSphere", ["PowerRun", "PowerModel", "Transport", "CLibXML2"]),
    ours(
        "NUT",
        ["PowerRun", "PowerModel", .product(name: "NIOSSL", package: "swift-nio-ssl")] + nio),
    ours(
        "PowerStore",
        [
            "PowerRun", "PowerModel", "Yams",
            .product(name: "GRDB", package: "GRDB.swift"),
        ]),
    ours(
        "PowerService",
        [
            "PowerRun", "PowerModel", log,
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ] + nio),
    .target(
        name: "Templates",
        dependencies: [.product(name: "Mustache", package: "swift-mustache")],
        path: "Templates",
        exclude: ["systemd", "README.md"],
        resources: [
            .embedInCode("local.sh.mustache"), .embedInCode("leave.sh.mustache"),
            .embedInCode("limited.sh"),
        ],
        swiftSettings: strict),
    .executableTarget(
        name: "vpower",
        dependencies: [
            "PowerService", "PowerLab", "PowerStore", "NUT", "VSphere", "ESXi", "Machines",
            "PowerRun", "PowerModel", "Transport", "Templates", log,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "Subprocess", package: "swift-subprocess"),
            .product(name: "SystemPackage", package: "swift-system"),
        ],
        swiftSettings: strict),
    .executableTarget(name: "vpower-notify", dependencies: [], swiftSettings: strict),

    .executableTarget(
        name: "crowd", dependencies: ["VSphere", "Transport", "PowerModel", "PowerRun"],
        path: "Tests/Crowd",
        swiftSettings: strict),
    .executableTarget(
        name: "cycles", dependencies: ["Transport"], path: "Tests/Cycles", swiftSettings: strict),

    tests("PowerModelTests", ["PowerModel"]),
    tests("PowerRunTests", ["PowerModel", "PowerRun", "PowerLab"]),
    tests("TransportTests", ["Transport", "PowerLab"]),
    tests(
        "VSphereTests", ["VSphere", "Transport", "PowerModel", "PowerRun", "PowerLab", "crowd"]),
    tests(
        "ESXiTests", ["ESXi", "Transport", "Templates", "PowerModel", "PowerRun", "PowerLab"],
        resources: [.copy("Fixtures")]),
    tests(
        "HostTests", ["ESXi", "VSphere", "Transport", "PowerModel", "PowerRun", "PowerLab"]),
    tests("MachinesTests", ["Machines", "Transport", "PowerModel", "PowerRun", "PowerLab"]),
    tests("TemplatesTests", ["Templates", "PowerLab"], resources: [.copy("Snapshots")]),
    tests("NUTTests", ["NUT", "PowerLab", "PowerModel", "PowerRun"] + nio),
    tests("PowerStoreTests", ["PowerStore", "PowerModel", "PowerRun"]),
    tests(
        "PowerLabTests", ["PowerLab", "PowerModel", "PowerRun", "Templates"],
        exclude: ["Tools"]),
    tests(
        "PowerServiceTests", ["PowerService", "NUT", "PowerLab", "PowerModel", "PowerRun", log]),
    tests("NotifyTests", ["PowerService", "PowerModel"]),
    tests("CommandTests", ["vpower", "PowerModel", "PowerRun", "PowerLab", "PowerStore"]),
    tests("TidyTests", []),
    tests("EndToEnd", ["PowerModel", "PowerRun", "PowerLab", "PowerStore"]),
]

let package = Package(
    name: "vpower",
    products: isCoreAlone
        ? []
        : [
            .executable(name: "vpower", targets: ["vpower"]),
            .executable(name: "vpower-notify", targets: ["vpower-notify"]),
        ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: isCoreAlone ? core : core + others
)
