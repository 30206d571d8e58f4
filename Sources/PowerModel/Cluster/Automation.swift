/// What of the cluster acts on guests by itself.
public struct Automation: Hashable, Codable, Sendable {
    /// Whether vSphere HA is on.
    public var ha: Bool
    /// Whether DRS is on at all. vpower never changes it: off deletes the resource pools.
    public var drsEnabled: Bool
    /// How far DRS acts by itself.
    public var drsLevel: DRSLevel
    /// Whether a guest may have a DRS level of its own (`enableVmBehaviorOverrides`): one that is
    /// fully automated moves while the cluster is manual. nil in older records only: nobody looked,
    /// so nobody changes it.
    public var drsOverrides: Bool?
    /// Whether DPM is on.
    public var dpm: Bool
    /// What the advanced setting says of vCLS.
    public var vcls: VCLSSetting
    /// What the cluster itself says of vCLS; nil where vCenter does not say (before 8.0U2), and in
    /// older records.
    public var vclsMode: VCLSMode?
    /// How the cluster's own services are, which vCLS is; nil before 7.0U1 and in older records.
    public var vclsHealth: VCLSHealth?

    /// A cluster's automation.
    public init(
        ha: Bool, drsEnabled: Bool, drsLevel: DRSLevel, drsOverrides: Bool? = nil, dpm: Bool,
        vcls: VCLSSetting, vclsMode: VCLSMode? = nil, vclsHealth: VCLSHealth? = nil
    ) {
        self.ha = ha
        self.drsEnabled = drsEnabled
        self.drsLevel = drsLevel
        self.drsOverrides = drsOverrides
        self.dpm = dpm
        self.vcls = vcls
        self.vclsMode = vclsMode
        self.vclsHealth = vclsHealth
    }

    /// Whether guests with a DRS level of their own follow that.
    public var followsDRSOverrides: Bool { drsOverrides ?? true }

    /// Whether the cluster keeps vCLS guests: one of the two places is enough to end it.
    public var keepsVCLS: Bool { vcls.keepsGuests && vclsMode != .absent }
}

/// How far DRS acts by itself (`ClusterDrsConfigInfo.defaultVmBehavior`).
public enum DRSLevel: String, Hashable, Codable, Sendable {
    /// Only recommends.
    case manual
    /// Places guests that are started.
    case partiallyAutomated
    /// Moves guests.
    case fullyAutomated
}

/// The advanced setting `config.vcls.clusters.domain-cN.enabled`.
public enum VCLSSetting: String, Hashable, Codable, Sendable {
    /// Never set: the same as on. Restored as on: a key cannot be deleted (facts/vsphere.md 2.5).
    case unset
    /// On.
    case on
    /// Off: retreat mode.
    case retreat
    /// The vCenter is older than vCLS (7.0U1): nothing is read or written.
    case notThere

    /// Whether the cluster keeps vCLS guests, as far as this setting goes.
    public var keepsGuests: Bool { self == .unset || self == .on }
}

/// The cluster's own `systemVMsConfig.deploymentMode`.
public enum VCLSMode: String, Hashable, Codable, Sendable {
    /// vCenter keeps vCLS guests.
    case systemManaged = "SYSTEM_MANAGED"
    /// Retreat mode.
    case absent = "ABSENT"
}

/// How vCenter finds a cluster's own services (`summary.vcsHealthStatus`).
public enum VCLSHealth: String, Hashable, Codable, Sendable {
    /// All of them are there.
    case healthy
    /// Some are missing; DRS and HA have what they need.
    case degraded
    /// DRS and HA lack what they need.
    case nonhealthy
}

/// A change of a cluster's automation; nil leaves a setting as it is.
public struct AutomationChange: Hashable, Codable, Sendable {
    /// HA on or off.
    public var ha: Bool?
    /// The DRS level.
    public var drsLevel: DRSLevel?
    /// Whether guests' own DRS levels count.
    public var drsOverrides: Bool?
    /// DPM on or off.
    public var dpm: Bool?

    /// A change.
    public init(
        ha: Bool? = nil, drsLevel: DRSLevel? = nil, drsOverrides: Bool? = nil, dpm: Bool? = nil
    ) {
        self.ha = ha
        self.drsLevel = drsLevel
        self.drsOverrides = drsOverrides
        self.dpm = dpm
    }

    /// What stops a cluster's automation, which was so before: DRS is never disabled, that deletes
    /// resource pools; and what is not known of it could not be put back.
    public static func freeze(_ before: Automation) -> AutomationChange {
        AutomationChange(
            ha: false, drsLevel: .manual, drsOverrides: before.drsOverrides == nil ? nil : false,
            dpm: false)
    }

    /// Whether it changes nothing.
    public var isEmpty: Bool {
        ha == nil && drsLevel == nil && drsOverrides == nil && dpm == nil
    }

    /// Whether the cluster already is as this change wants it.
    public func isSatisfied(by now: Automation) -> Bool { left(of: now).isEmpty }

    /// What of it is not so yet: only that is asked for, so that nothing is written twice.
    public func left(of now: Automation) -> AutomationChange {
        AutomationChange(
            ha: ha == now.ha ? nil : ha, drsLevel: drsLevel == now.drsLevel ? nil : drsLevel,
            drsOverrides: drsOverrides == now.followsDRSOverrides ? nil : drsOverrides,
            dpm: dpm == now.dpm ? nil : dpm)
    }
}
