public import PowerModel

/// Checks what happened at the simulated site against what must always be true (DESIGN 5): the
/// sum of its rules, which stand in `Rules/`, one for each thing that must be true.
///
/// It reads the site's own log. From the records it takes only what was on disk at each moment:
/// the engine cannot talk itself out of what it did, only say beforehand why.
public struct LabChecker: Sendable {
    /// The rules, with what came of each.
    public private(set) var rules: [any LabRule] = [
        HostsAfterTheirGuests(), VSANAsAWhole(), HAOffBeforeGuests(), DRSManualBeforeGuests(),
        OrderDown(), MachinesAfterHosts(), OrderUp(), AgentsLeftAlone(), AnswersOfTheSiteFile(),
        EverythingPutBack(), SSHPutBack(), RecordBeforeAct(), OutputAfterHosts(),
        FalseAlarmsChangeNothing(),
        NoSecretInRecords(), NothingUnquoted(), EveryWaitEnds(), ArmedScriptsExpire(),
    ]
    private var site: LabSiteState

    /// A checker of a site that is as the scenario has it.
    /// - Parameter hasRecords: whether the lab sees what is recorded; on the wire it does not.
    public init(of scenario: LabScenario, hasRecords: Bool) {
        site = LabSiteState(scenario, hasRecords: hasRecords)
    }

    /// What was violated, rule by rule; empty when nothing was.
    public var violations: [String] { rules.flatMap(\.tally.violations) }

    /// Whether a host is left in maintenance mode because the record of that is lost: then its
    /// guests cannot be started, and the outage stays open.
    public var hasHostLeftInMaintenance: Bool {
        site.scenario.hosts.contains { site.isLeftInMaintenance($0.name.rawValue) }
    }

    /// How often each rule was evaluated, by its name.
    public var evaluated: [String: Int] {
        Dictionary(
            rules.map { ($0.name, $0.tally.evaluated) }, uniquingKeysWith: { $0 + $1 })
    }

    /// Takes a whole log in, with the records that were on disk by then.
    public mutating func take(_ log: [LabEvent], _ records: [LabRecord] = []) {
        var records = records[...]
        for event in log {
            while let record = records.first, record.afterEvent < event.number {
                take(record)
                records.removeFirst()
            }
            for index in rules.indices { rules[index].see(event, site) }
            site.apply(event)
        }
        for record in records { take(record) }
    }

    private mutating func take(_ record: LabRecord) {
        for index in rules.indices { rules[index].see(record, site) }
        site.apply(record)
    }

    /// Everything is said to be restored, with the automation as it is now.
    public mutating func end(_ automation: Automation) {
        for index in rules.indices { rules[index].end(site, automation) }
    }

    /// What was violated in this log; empty when nothing was.
    /// - Parameter final: the automation at the end, where everything is said to be restored.
    public static func violations(
        in log: [LabEvent], _ records: [LabRecord] = [], of scenario: LabScenario,
        restoredTo final: Automation?
    ) -> [String] {
        var checker = LabChecker(of: scenario, hasRecords: !records.isEmpty)
        checker.take(log, records)
        if let final { checker.end(final) }
        return checker.violations
    }
}
