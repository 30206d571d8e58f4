/// How the guests of a host are to come up when its power is back (`boot` of the site file).
public enum BootPolicy: String, CaseIterable, Hashable, Codable, Sendable {
    /// By the boot script; by autostart where the script cannot run; by vpower where neither can.
    case auto
    /// By the boot script in local.sh.
    case localsh
    /// By the host's own autostart manager.
    case autostart
    /// By vpower alone: nothing is left on the host.
    case controller
}

/// How the guests of a host come up.
public enum BootWay: String, Hashable, Codable, Sendable {
    /// By the boot script.
    case localsh
    /// By the host's autostart manager, which vpower sets for the outage.
    case autostart
    /// By vpower alone.
    case controller
}

/// How one host's guests come up, and what it was chosen from: more may be found out about a host
/// when the choice is carried out.
public struct BootChoice: Hashable, Codable, Sendable {
    /// What the site file wants.
    public var policy: BootPolicy
    /// Whether UEFI Secure Boot is on: then ESXi does not run local.sh. nil where nobody says.
    public var secureBoot: Bool?
    /// Whether the host starts guests by itself as it is; nil where nobody says.
    public var startsByItself: Bool?
    /// Whether vpower has a login for the host's own SOAP endpoint: only over that is its autostart
    /// read and set.
    public var hasAPI: Bool
    /// Whether HA is, or may be, on as the host boots: then its autostart does nothing.
    public var mayHaveHA: Bool
    /// Whether it is shut down in maintenance mode: it boots into that, and autostart does nothing.
    public var isMaintained: Bool

    /// A choice from what is known; by default nothing is, and nothing stands in the way.
    public init(
        _ policy: BootPolicy, secureBoot: Bool? = nil, startsByItself: Bool? = nil,
        hasAPI: Bool = true, mayHaveHA: Bool = false, isMaintained: Bool = false
    ) {
        self.policy = policy
        self.secureBoot = secureBoot
        self.startsByItself = startsByItself
        self.hasAPI = hasAPI
        self.mayHaveHA = mayHaveHA
        self.isMaintained = isMaintained
    }

    /// The way that is taken.
    public var way: BootWay {
        switch policy {
        case .controller: .controller
        case .localsh: secureBoot == true ? .controller : .localsh
        case .autostart: mayUseAutostart ? .autostart : .controller
        case .auto:
            secureBoot != true ? .localsh : mayUseAutostart ? .autostart : .controller
        }
    }

    /// Whether the site file names a way that cannot be taken.
    public var isRefused: Bool { policy != .auto && policy.rawValue != way.rawValue }

    private var mayUseAutostart: Bool { hasAPI && !mayHaveHA && !isMaintained }

    /// Whether the host's own autostart is to be looked at: the host starts nothing but what is
    /// chosen here.
    public var needsAutostart: Bool { way == .autostart || (hasAPI && startsByItself != false) }

    /// Why it is not the way that comes first; nil where it is.
    public var why: String? {
        var reasons: [String] = []
        if policy == .auto || policy == .localsh, secureBoot == true {
            reasons.append("Secure Boot is on")
        }
        if way == .controller, policy == .autostart || (policy == .auto && !reasons.isEmpty) {
            if !hasAPI {
                reasons.append("its autostart is set over its `api` only, which it lacks")
            }
            if mayHaveHA { reasons.append("autostart does nothing while HA is on") }
            if isMaintained { reasons.append("autostart does nothing in maintenance mode") }
        }
        return reasons.isEmpty ? nil : reasons.joined(separator: ", and ")
    }

    /// The choice in an operator's words, e.g. `boot: autostart, because Secure Boot is on`.
    public var summary: String {
        "boot: \(way.rawValue)" + (why.map { ", because \($0)" } ?? "")
    }

    /// What is on record of it, for people.
    /// - Parameter before: what the host started by itself, where that is changed.
    public func told(of host: HostName, _ before: HostAutostart?) -> String {
        let old = before.map { before in
            "; its autostart was "
                + (before.isOn ? "on, for \(before.guests.count.counted("guest"))" : "off")
        }
        return "\(host): \(summary)\(old ?? "")"
    }
}

extension HostAutostart {
    /// What makes a host start the guests of these orders in their order. The wait after a guest is
    /// the host's before the next one: it cannot wait for what is on another host.
    ///
    /// - Parameter before: the host's settings for all guests, which stay but for being on.
    public init(_ orders: BootOrders, before: Defaults) {
        let first = orders.infrastructure + (orders.vcsa.map { [$0] } ?? [])
        var entries: [Entry] = []
        for guest in orders.guests {
            var wait = orders.startGap + guest.thenWait
            if orders.waitsForVCSA, entries.count == first.count - 1 { wait += orders.afterVCSA }
            entries.append(
                Entry(
                    vmxPath: guest.vmxPath, startOrder: entries.count + 1,
                    startDelaySeconds: Int(wait.components.seconds), waitForHeartbeat: "no",
                    startAction: "powerOn", stopDelaySeconds: -1, stopAction: "systemDefault"))
        }
        var defaults = before
        defaults.enabled = true
        self.init(defaults: defaults, guests: entries)
    }

    /// Whether the host starts guests by itself.
    public var isOn: Bool { defaults.enabled == true }

    /// The same settings, and nothing is started or stopped.
    public var switchedOff: HostAutostart {
        var off = self
        off.defaults.enabled = false
        return off
    }
}
