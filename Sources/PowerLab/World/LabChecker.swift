public import PowerModel

/// Checks what happened at the simulated site against what must always be true (DESIGN 5).
///
/// It reads the site's own log, never the engine's records: the engine cannot talk itself out.
public struct LabChecker: Sendable {
    private let scenario: LabScenario
    private let specs: [String: LabGuestSpec]

    private var violations: [String] = []
    private var power: [String: GuestPower] = [:]
    private var hostsOn: Set<String>
    private var place: [String: String] = [:]
    private var haAgents: Bool
    private var armed: Set<String> = []
    private var inMaintenance: Set<String> = []
    private var sinceOutput: Set<String> = []
    private var wentDown = false

    private init(_ scenario: LabScenario) {
        self.scenario = scenario
        specs = Dictionary(
            scenario.guests.map { ($0.id.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
        for guest in scenario.guests {
            power[guest.id.rawValue] = guest.isOn ? .on : .off
            place[guest.id.rawValue] = guest.host.rawValue
        }
        hostsOn = Set(scenario.hosts.map(\.name.rawValue))
        haAgents = scenario.automation.ha
    }

    /// What was violated in this log; empty when nothing was.
    /// - Parameter final: the automation at the end, where everything is said to be restored.
    public static func violations(
        in log: [LabEvent], of scenario: LabScenario, restoredTo final: Automation?
    ) -> [String] {
        var checker = LabChecker(scenario)
        for event in log { checker.take(event) }
        if let final { checker.checkEnd(final) }
        return checker.violations
    }

    private mutating func violate(_ event: LabEvent, _ what: String) {
        violations.append("at \(event.atSeconds) s: \(what)")
    }

    private func name(_ id: String) -> String { specs[id]?.name.onOneLine ?? id }

    private func isOrdinary(_ id: String) -> Bool { specs[id]?.nature == .ordinary }

    private func ordinaryOn(where matches: (LabGuestSpec) -> Bool) -> [String] {
        scenario.guests.filter { guest in
            guest.nature == .ordinary && power[guest.id.rawValue] == .on && matches(guest)
        }.map(\.name.onOneLine).sorted()
    }

    private mutating func take(_ event: LabEvent) {
        switch event.kind {
        case .guestAsked: guestAsked(event)
        case .guestOff: power[event.object] = .off
        case .guestSuspended: power[event.object] = .suspended
        case .guestRegistered: place[event.object] = event.detail
        case .guestLost:
            power[event.object] = .off
            if isOrdinary(event.object) {
                violate(event, "guest \(name(event.object)) was cut off \(event.detail)")
            }
        case .guestOn: guestOn(event)
        case .haAgentsGone: haAgents = false
        case .haAgentsBack: haAgents = true
        case .haOn:
            let missing = scenario.guests.filter {
                $0.nature == .ordinary && $0.isOn && power[$0.id.rawValue] != .on
            }
            if !missing.isEmpty {
                violate(event, "HA came back before \(missing.count) guests were on")
            }
        case .hostTold: hostTold(event)
        case .hostOff, .hostLost:
            hostsOn.remove(event.object)
            sinceOutput = []
            wentDown = true
        case .hostUp: hostsOn.insert(event.object)
        case .outputCutAsked:
            if !hostsOn.isEmpty {
                violate(event, "the output was cut with \(hostsOn.sorted()) still on")
            }
        case .armed: armed.insert(event.object)
        case .disarmed: armed.remove(event.object)
        case .maintenanceOn: inMaintenance.insert(event.object)
        case .maintenanceOff: inMaintenance.remove(event.object)
        default: break
        }
    }

    private mutating func guestAsked(_ event: LabEvent) {
        guard let guest = specs[event.object] else { return }
        if guest.nature != .ordinary {
            violate(event, "\(guest.name) belongs to the cluster and was shut down")
        }
        if haAgents {
            violate(event, "guest \(name(event.object)) was shut down while HA was on")
        }
        if guest.isVCSA {
            let left = ordinaryOn { !$0.isVCSA }
            if !left.isEmpty { violate(event, "vCSA was shut down before \(left)") }
        } else if let tier = scenario.tier(of: guest) {
            let earlier = ordinaryOn { scenario.tier(of: $0).map { $0 < tier } ?? false }
            if !earlier.isEmpty {
                violate(event, "guest \(name(event.object)) was shut down before \(earlier)")
            }
        }
    }

    private mutating func guestOn(_ event: LabEvent) {
        power[event.object] = .on
        guard let guest = specs[event.object], guest.nature == .ordinary else { return }
        if !guest.isOn { violate(event, "guest \(name(event.object)) was off before the outage") }
        if wentDown, !guest.isVCSA, !sinceOutput.contains("vcsa") {
            violate(event, "guest \(name(event.object)) was started before vCSA")
        }
        if guest.isVCSA { sinceOutput.insert("vcsa") }
    }

    private mutating func hostTold(_ event: LabEvent) {
        let on = ordinaryOn { place[$0.id.rawValue] == event.object }
        if !on.isEmpty { violate(event, "\(event.object) was told to stop with \(on) on") }
        let vcsa = scenario.guests.first { $0.isVCSA }
        if let vcsa, power[vcsa.id.rawValue] == .on {
            violate(event, "\(event.object) was told to stop before vCSA was off")
        }
        if let vcsa, place[vcsa.id.rawValue] == event.object, hostsOn.count > 1 {
            violate(event, "vCSA's host was told to stop before \(hostsOn.sorted())")
        }
        if haAgents { violate(event, "\(event.object) was told to stop while HA was on") }
    }

    private mutating func checkEnd(_ final: Automation) {
        let before = scenario.automation
        if final.ha != before.ha { violations.append("at the end: HA is not as it was") }
        if final.drsLevel != before.drsLevel || final.drsEnabled != before.drsEnabled {
            violations.append("at the end: DRS is not as it was")
        }
        if final.dpm != before.dpm { violations.append("at the end: DPM is not as it was") }
        if final.vcls.keepsGuests != before.vcls.keepsGuests {
            violations.append("at the end: vCLS is not as it was")
        }
        for guest in scenario.guests where guest.nature == .ordinary {
            let isOn = power[guest.id.rawValue] == .on
            if isOn != guest.isOn {
                violations.append(
                    "at the end: guest \(guest.name.onOneLine) is \(isOn ? "on" : "off")")
            }
        }
        for host in armed.sorted() { violations.append("at the end: \(host) is still armed") }
        for host in inMaintenance.sorted() {
            violations.append("at the end: \(host) is in maintenance mode")
        }
        for host in scenario.hosts where !hostsOn.contains(host.name.rawValue) {
            violations.append("at the end: \(host.name) is off")
        }
    }
}
