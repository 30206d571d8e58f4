/// How the guests of hosts come up when the power is back.
extension Planner {
    /// The steps that make some hosts start their guests as they boot.
    /// - Parameter mayHaveHA: whether HA is on as they boot, as far as the plan goes.
    func arm(
        _ orders: [BootOrders], _ moment: Moment, mayHaveHA: Bool, needs: [PhaseName]
    ) -> Phase {
        let steps = orders.map { orders in
            let choice = bootChoice(
                of: orders.host, moment.now.inventory, mayHaveHA: mayHaveHA,
                isMaintained: orders.leaveMaintenance)
            return step(.arm(orders.host, orders, choice), limit: site.limits.arm)
        }
        return phase(.arm, needs: needs, steps)
    }

    /// How each host's guests would come up if the whole cluster went down now.
    public func bootChoices(now: ClusterSnapshot) -> [(host: HostName, choice: BootChoice)] {
        site.hosts.map(\.name).sorted().map { host in
            let isMaintained = site.maintenanceMode && maintains(host, now)
            return (
                host,
                bootChoice(
                    of: host, now.inventory, mayHaveHA: false, isMaintained: isMaintained)
            )
        }
    }

    private func bootChoice(
        of name: HostName, _ now: Inventory, mayHaveHA: Bool, isMaintained: Bool
    ) -> BootChoice {
        let host = site.hosts.first { $0.name == name }
        let view = now.host(name)
        return BootChoice(
            host?.boot ?? site.boot, secureBoot: view?.secureBoot,
            startsByItself: view?.startsByItself, hasAPI: host?.api != nil, mayHaveHA: mayHaveHA,
            isMaintained: isMaintained)
    }

    /// Whether HA is on and stays so: a plan for a part of the cluster leaves it alone.
    func hasHA(_ moment: Moment) -> Bool {
        moment.now.automation.ha || moment.goal.automation.ha
    }

    /// What an operator should know of how guests come up after a plan.
    func bootWarnings(_ plan: Plan) -> [String] {
        var warnings: [String] = []
        for step in plan.phase(.arm)?.steps ?? [] {
            guard case .arm(let host, _, let choice?) = step.action else { continue }
            if choice.way == .controller {
                warnings.append("\(host): \(choice.summary): nothing but vpower starts its guests")
            }
            if choice.startsByItself == true, !choice.hasAPI {
                warnings.append(
                    "\(host): its own autostart is on, and starts guests in an order of its own: "
                        + "give the host an `api`, and vpower switches it off for the outage")
            }
        }
        return warnings
    }
}
