import Templates
import Testing

/// Every combination of what a host can find at a boot, and how it must end.
@Suite struct BootMatrixTests {
    enum VCSA: CaseIterable { case here, elsewhere, nowhere }
    enum Store: CaseIterable { case inTime, late, never }
    enum Maintenance: CaseIterable { case none, ours, foreign }
    enum Guest: CaseIterable { case on, off, invalid, question }

    struct Combination: Hashable {
        var vcsa: VCSA
        var store: Store
        var hostdIsLate: Bool
        var maintenance: Maintenance
        var guest: Guest

        static let all = VCSA.allCases.flatMap { vcsa in
            Store.allCases.flatMap { store in
                [false, true].flatMap { hostdIsLate in
                    Maintenance.allCases.flatMap { maintenance in
                        Guest.allCases.map {
                            Combination(
                                vcsa: vcsa, store: store, hostdIsLate: hostdIsLate,
                                maintenance: maintenance, guest: $0)
                        }
                    }
                }
            }
        }
    }

    static let dns = BootScriptGuest(name: "dns", vmxPath: "[local one] dns/dns.vmx")
    static let vcsa = BootScriptGuest(name: "vcsa", vmxPath: "[local one] vcsa/vcsa.vmx")
    static let web = BootScriptGuest(name: "web", vmxPath: "[ds1] web/web.vmx")
    static let last = BootScriptGuest(name: "last", vmxPath: "[local one] last/last.vmx")

    static func values(_ case: Combination) -> BootScriptValues {
        BootScriptValues(
            host: "esx1", runID: "run-1", armedEpochSeconds: BootHost.begin - 100,
            expiresEpochSeconds: BootHost.begin + 86_400,
            leaveMaintenance: `case`.maintenance == .ours, infrastructure: [dns],
            vcsa: `case`.vcsa == .here ? vcsa : nil, waitsForVCSA: `case`.vcsa != .nowhere,
            probe: BootScriptProbe(tool: .nc, address: "10.0.0.9", port: 443),
            tiers: [[web], [last]], settleSeconds: 60, startGapSeconds: 5, afterVCSASeconds: 60,
            hostdLimitSeconds: 60, datastoreLimitSeconds: 100, guestStartLimitSeconds: 30)
    }

    static let hostdAt = 10
    static let storeAt = 130
    static let vcsaAt = 100

    static func host(_ bench: BootBench, _ number: Int, _ case: Combination) throws -> BootHost {
        let host = try bench.host("\(number)", values(`case`))
        let begin = BootHost.begin
        try host.write("hostd", `case`.hostdIsLate ? "\(begin + hostdAt)\n" : "0\n")
        let store =
            switch `case`.store {
            case .inTime: 0
            case .late: begin + storeAt
            case .never: Int(Int32.max)
            }
        try host.write("store", "\(store)\n")
        try host.write("vcsa-up", "\(begin + vcsaAt)\n")
        try host.write("maintenance", `case`.maintenance == .none ? "false\n" : "true\n")
        try host.add(1, dns)
        try host.add(10, web, isOn: `case`.guest == .on, kind: kind(`case`.guest))
        try host.add(2, last)
        if `case`.vcsa == .here { try host.add(3, vcsa) }
        return host
    }

    private static func kind(_ guest: Guest) -> String {
        switch guest {
        case .on, .off: "plain"
        case .invalid: "invalid"
        case .question: "question"
        }
    }

    /// What must have become of a host; the comment of what did not.
    static func check(_ host: BootHost, _ case: Combination) throws {
        let report = try host.report()
        let comment = "\(`case`): \(report) \(host.events)\n\(host.log)"
        func expect(_ condition: Bool, _ what: String) {
            #expect(condition, "\(what) in \(comment)")
        }
        expect(report.state == .done && report.mode == .armed && report.run == "run-1", "report")
        let isForeign = `case`.maintenance == .foreign
        let expected: [BootScriptGuest] =
            [dns] + (`case`.vcsa == .here ? [vcsa] : []) + [web, last]
        expect(report.of == expected.count, "of")
        expect(host.read("maintenance") == (isForeign ? "true\n" : "false\n"), "maintenance")
        expect(host.events.contains("left") == (`case`.maintenance == .ours), "left")
        if isForeign {
            expect(!host.events.contains { $0.hasPrefix("try") }, "nothing is tried")
            expect(
                report.failed == expected.map { .init(.maintenance, $0.vmxPath) }
                    && report.started == 0, "all are named")
            expect(host.isArmed && host.seconds < 90, "armed")
            return
        }
        let why: BootScriptReport.Failure.Reason? =
            `case`.store == .never ? .invalid : `case`.guest == .question ? .question : nil
        expect(report.failed == (why.map { [.init($0, web.vmxPath)] } ?? []), "failed")
        expect(report.started == expected.count - report.failed.count, "started")
        expect(host.isOn(1) && host.isOn(2), "dns and last are on")
        expect(host.isOn(10) == (why == nil || `case`.guest == .on), "web")
        let order = host.events.filter { $0.hasPrefix("on ") }
        let webIsStarted = why == nil && `case`.guest != .on
        expect(
            order == ["on 1"] + (`case`.vcsa == .here ? ["on 3"] : [])
                + (webIsStarted ? ["on 10"] : []) + ["on 2"], "order")
        expect(
            host.events.filter { $0 == "try 10" }.count
                == (webIsStarted || why == .question ? 1 : 0), "tries")
        expect(host.events.contains("rescan") == (`case`.store != .inTime), "rescan")
        expect(
            host.events.contains("reload 10") == (`case`.guest == .invalid && why != .invalid),
            "reload")
        // Disarmed when all are on, saved, and by that byte alone.
        expect(host.isArmed == (why != nil), "armed")
        expect(report.disarmed == (why == nil ? .yes : .no), "disarmed")
        expect(host.events.contains("saved") == (why == nil), "saved")
        if why == nil { expect(host.read("saved") == host.read("local.sh"), "saved as it is") }
        try checkTime(host, `case`, expect)
    }

    private static func checkTime(
        _ host: BootHost, _ case: Combination, _ expect: (Bool, String) -> Void
    ) throws {
        let probes = (host.read("probes") ?? "").split(separator: "\n")
        expect(probes.isEmpty == (`case`.vcsa == .nowhere), "probes")
        expect(probes.allSatisfy { $0 == "-z -w 5 10.0.0.9 443" }, "by address")
        func moment(_ mark: String) -> Int? {
            host.log.split(separator: "\n").first { $0.contains(mark) }
                .flatMap { Int($0.prefix { $0 != " " }) }.map { $0 - BootHost.begin }
        }
        let first = moment(" on: dns") ?? 0
        expect(first >= 60 + (`case`.hostdIsLate ? hostdAt : 0), "settled at \(first)")
        expect(first <= 80, "no longer than needed")
        if `case`.vcsa != .nowhere {
            let answers = moment(" vCenter answers") ?? 0
            expect((vcsaAt...vcsaAt + 6).contains(answers), "vCenter at \(answers)")
            expect((moment(" next tier") ?? 0) >= answers, "tiers after vCenter")
        }
        expect(host.seconds < 260, "it ends: \(host.seconds)")
    }

    @Test func `every combination ends as it must, and the boot after a complete one does nothing`()
        async throws
    {
        #expect(Combination.all.count == 216)
        try await BootBench.with { bench in
            let cases = try Combination.all.enumerated().map {
                ($0.element, try Self.host(bench, $0.offset, $0.element))
            }
            try await bench.boot(cases.map(\.1))
            for (combination, host) in cases { try Self.check(host, combination) }
            let complete = cases.map(\.1).filter { !$0.isArmed }
            #expect(complete.count == 72)
            for host in complete { try host.cutPower() }
            try await bench.boot(complete)
            for host in complete {
                let report = try host.report()
                #expect(host.events == [] && report.mode == .unarmed && report.state == .done)
            }
        }
    }
}
