/// A plan as it is reviewed: what will be done, to what, in which order and for how long at most.
extension Plan {
    /// One line for everything that a reviewer agrees to: two plans that do the same have the same
    /// text. Without the run's identity and the moments of arming, which are other ones each time,
    /// and without estimates, which only tell.
    public var reviewLines: [String] {
        var lines = ["\(kind.rawValue) \(cluster.rawValue.debugDescription)"]
        for phase in phases {
            lines.append(
                "phase \(phase.name.rawValue.debugDescription) budget \(phase.budget.reviewed)"
                    + Self.after(phase.needs))
            for step in phase.steps {
                lines.append(
                    "  \(step.id.rawValue.debugDescription) \(step.action.reviewed)"
                        + " limit \(step.limit.reviewed)" + Self.after(step.needs))
            }
        }
        return lines
    }

    /// The lines as one text, each with its line feed: what a digest is made of.
    public var reviewText: String { reviewLines.map { $0 + "\n" }.joined() }

    /// Sorted: in which order needs are named says nothing.
    private static func after<Kind>(_ needs: [Name<Kind>]) -> String {
        if needs.isEmpty { return "" }
        return " after "
            + needs.sorted().map(\.rawValue.debugDescription).joined(separator: " ")
    }
}

extension Action {
    /// Everything of it that matters, in one line; texts from outside are quoted.
    fileprivate var reviewed: String {
        switch self {
        case .freeze: "freeze"
        case .stopHAAgents(let hosts): "stop HA's agents on \(hosts.map(\.rawValue).reviewed)"
        case .retreat: "retreat"
        case .arm(_, let orders, let choice): "arm \(orders.reviewed)\(choice?.reviewed ?? "")"
        case .runHook(let hook, _, _, _):
            "run \(hook.command.reviewed) within \(hook.limit.reviewed)"
        case .awaitClusterDown: "await"
        case .stopGuest(_, let name, let escalation):
            "stop \(name.debugDescription) else \(escalation.rawValue)"
        case .stopGuestOnHost(_, let name, let host):
            "stop \(name.debugDescription) on \(host.rawValue.debugDescription)"
        case .stopVSAN(let way, let hosts, let vcsa):
            "stop \(way.rawValue) \(hosts.map(\.rawValue).reviewed)"
                + (vcsa.map { " with \($0.rawValue.debugDescription)" } ?? "")
        case .startVSAN(let way, let hosts):
            "start \(way.rawValue) \(hosts.map(\.rawValue).reviewed)"
        case .stopHost(_, let maintenance): "stop\(maintenance ? " in maintenance mode" : "")"
        case .leaveHost(_, let controller, let name):
            "leave with \(controller.rawValue.debugDescription) \(name.debugDescription)"
        case .stopMachine(_, let delay):
            "stop" + (delay.map { " after \($0.reviewed)" } ?? "")
        case .tellMachine(_, let delay, let within):
            "go after \(delay.reviewed) within \(within.reviewed)"
        case .startMachine(_, let going):
            "start"
                + (going.map {
                    " gone within \($0.goneWithin.reviewed)"
                        + ($0.isHandedOver ? "" : " or called off")
                } ?? "")
        case .awaitLeave: "await"
        case .awaitHost(_, let leave): "await\(leave ? " out of maintenance mode" : "")"
        // The run is that of the outage's shutdown: it stays the same.
        case .awaitBootScript(_, let run): "await \(run.rawValue.debugDescription)"
        case .startGuestOnHost(_, let name, let host, let terms),
            .startGuest(_, let name, let host, let terms):
            "start \(name.debugDescription) on \(host.rawValue.debugDescription) "
                + terms.reviewed
        case .awaitVCenter: "await"
        case .thawVCLS(let setting, let mode):
            "vcls \(setting.rawValue) \(mode?.rawValue ?? "none")"
        case .thawDRS(let level, let overrides, let dpm):
            "drs \(level.rawValue) overrides \(overrides.map(String.init) ?? "as they are") "
                + "dpm \(dpm)"
        case .thawHA(let on): "ha \(on)"
        case .startHAAgent: "start"
        case .restoreAutostart(_, let before): "autostart \(before.reviewed)"
        case .disarm: "disarm"
        case .openSSH: "open"
        case .closeSSH(_, let wasOpened): "close\(wasOpened ? "" : " if opened")"
        }
    }
}

extension BootChoice {
    /// Nothing where all is as it always was.
    fileprivate var reviewed: String {
        (way == .localsh ? "" : " by \(way.rawValue)")
            + (way != .autostart && hasAPI && startsByItself == true ? " autostart off" : "")
    }
}

extension HostAutostart {
    fileprivate var reviewed: String {
        "\(isOn ? "on" : "off") "
            + guests.sorted { $0.startOrder < $1.startOrder }.map(\.vmxPath).reviewed
    }
}

extension BootOrders {
    fileprivate var reviewed: String {
        let parts = [
            infrastructure.reviewed, vcsa.map { [$0].reviewed } ?? "none",
        ]
        return (parts + tiers.map(\.reviewed)).joined(separator: " then ")
            + " settle \(settle.reviewed) gap \(startGap.reviewed)"
            + " after vcsa \(waitsForVCSA ? afterVCSA.reviewed : "none")"
            + " for \((expires - armed).reviewed)"
            + (leaveMaintenance ? " out of maintenance mode" : "")
            + (standing.isEmpty ? "" : " unarmed \(standing.reviewed)")
            + extras.map(\.reviewed).joined()
    }
}

extension BootExtra {
    fileprivate var reviewed: String {
        switch work {
        case .line(let line): " line \(line.debugDescription) limit \(limit.reviewed)"
        case .file(let path, let content):
            " file \(path.debugDescription) \(content.debugDescription)"
        }
    }
}

extension StartTerms {
    fileprivate var reviewed: String {
        "settle \(mayStopFor.reviewed) tools \(toolsWithin?.reviewed ?? "none") "
            + "delay \(delay.reviewed)\(mayAdopt ? " adopt" : "")"
    }
}

extension [BootGuest] {
    fileprivate var reviewed: String {
        let guests = map { guest in
            guest.vmxPath.debugDescription
                + (guest.thenWait == .zero ? "" : " wait \(guest.thenWait.reviewed)")
        }
        return "[" + guests.joined(separator: " ") + "]"
    }
}

extension [String] {
    fileprivate var reviewed: String { map(\.debugDescription).joined(separator: " ") }
}

extension Duration {
    fileprivate var reviewed: String { "\(milliseconds)ms" }
}
