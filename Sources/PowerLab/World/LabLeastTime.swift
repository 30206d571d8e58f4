public import PowerModel

/// The least time a plan can take at this site: the longest way through its phases, each step
/// taking what the site itself takes for it. No engine can be faster; one that waits for nothing
/// but the site is hardly slower.
extension LabScenario {
    /// The least time of a plan, from its first phase's start to its last one's end. A restore is
    /// counted from the moment at which the hosts get their power.
    /// - Parameter orders: what the boot scripts start, where the plan waits for them.
    public func leastTime(of plan: Plan, booting orders: [BootOrders] = []) -> Duration {
        let scripts = orders.map(scriptTime).max() ?? .zero
        let vcsaAt = orders.compactMap(vcsaStart).first ?? .zero
        var ends: [PhaseName: Duration] = [:]
        for phase in plan.phases {
            let start = phase.needs.compactMap { ends[$0] }.max() ?? .zero
            var length = longest(phase.steps)
            switch phase.name {
            case .bootScripts: length = scripts
            // vCenter comes up while the scripts are still at work.
            case .vcenterBack: length = max(.zero, vcsaAt + pace.vcenterUp - scripts)
            default: break
            }
            ends[phase.name] = start + length
        }
        return ends.values.max() ?? .zero
    }

    /// The longest way through steps that need one another.
    private func longest(_ steps: [Step]) -> Duration {
        var ends: [StepID: Duration] = [:]
        for step in steps {
            let start = step.needs.compactMap { ends[$0] }.max() ?? .zero
            ends[step.id] = start + time(of: step)
        }
        return ends.values.max() ?? .zero
    }

    private func time(of step: Step) -> Duration {
        switch step.action {
        case .freeze, .thawHA: pace.haFollows
        case .retreat, .thawVCLS: pace.vclsFollows
        case .stopGuest(let id, _, _), .stopGuestOnHost(let id, _, _):
            stopTime(of: id, limit: step.limit)
        case .stopVSAN(.wizard, _, _): pace.vsanStage * 3
        case .stopHost: pace.hostStops + limits.settle
        case .stopMachine(_, let delay): (delay ?? .zero) + pace.machineStops
        case .awaitHost: pace.hostBoots + pace.hostdUp
        default: .zero
        }
    }

    private func stopTime(of id: GuestID, limit: Duration) -> Duration {
        guard let guest = guests.first(where: { $0.id == id }), guest.hasTools else { return .zero }
        return guest.ignoresShutdown ? limit : guest.stopsIn ?? pace.guestStops
    }

    /// How long a boot script is at work.
    private func scriptTime(_ orders: BootOrders) -> Duration {
        orders.settle + orders.startGap * orders.guests.count
            + (orders.waitsForVCSA ? orders.afterVCSA : .zero)
    }

    /// When a boot script starts vCSA, if it does.
    private func vcsaStart(_ orders: BootOrders) -> Duration? {
        orders.vcsa == nil
            ? nil : orders.settle + orders.startGap * orders.infrastructure.count
    }
}
