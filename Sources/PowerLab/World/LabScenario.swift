public import PowerModel

/// The simulated site before anything happens: what there is, and how long things take.
public struct LabScenario: Sendable {
    /// The cluster's name.
    public var cluster: ClusterName
    /// vCenter's reference of it.
    public var clusterReference: String
    /// The UPS's name, at upsd and in the site file.
    public var feed: FeedName
    /// The hosts.
    public var hosts: [LabHostSpec]
    /// The guests.
    public var guests: [LabGuestSpec]
    /// Storage and others, on all feeds.
    public var machines: [LabMachineSpec] = []
    /// The automation before the outage.
    public var automation: Automation
    /// How long things take.
    public var pace: LabPace
    /// A second UPS that feeds every host too; nil where there is one only.
    public var secondFeed: FeedName?
    /// The tiers, in the order in which they go down.
    public var tiers = LabScenario.tiers
    /// The limits of the waits that are not a tier's.
    public var limits = LabScenario.limits
    /// The guests of the infrastructure tier.
    public var infrastructure: GuestChoice = []
    /// How questions of guests are answered.
    public var answers: [QuestionAnswer] = []
    /// Whether the cluster's storage is vSAN.
    public var hasVSAN = false
    /// The release of vCenter and of every host.
    public var apiVersion = VersionNumber([8, 0, 3, 0])
    /// Whether vpower's user may have vCSA power itself off.
    public var mayShutDownAppliance = true
    /// Whether vpower's user at vCenter may start and stop hosts' services.
    public var maySteerServices = true
    /// Whether vCenter tells of its hosts' Secure Boot and autostart; the first since 8.0.3 only.
    public var showsBootState = true
    /// Whether HA, where it is on, starts by itself what went down with the power of all hosts, as
    /// soon as they are back. In which order is not known (facts/vsphere.md 4.1).
    public var haStartsAtBoot = false
    /// What goes wrong, and when.
    public var faults: [PlannedFault] = []

    /// When the mains of every feed fail by themselves, in the lab's own time.
    public var mainsFailAt: Duration?
    /// When nothing goes wrong any more, in the lab's own time.
    public var healsAt: Duration?

    /// The UPSes.
    public var feeds: [FeedName] { [feed] + (secondFeed.map { [$0] } ?? []) }

    /// A scenario of these parts.
    public init(
        cluster: ClusterName, clusterReference: String, feed: FeedName, hosts: [LabHostSpec],
        guests: [LabGuestSpec], automation: Automation, pace: LabPace
    ) {
        self.cluster = cluster
        self.clusterReference = clusterReference
        self.feed = feed
        self.hosts = hosts
        self.guests = guests
        self.automation = automation
        self.pace = pace
    }

    /// The drill's site: one UPS, one HA cluster of three hosts and fourteen guests: eleven
    /// ordinary ones in three tiers (one without Tools, one that ignores the request, one that DRS
    /// moves whatever the cluster's level is, two whose names would be dangerous in a shell), vCSA,
    /// and two vCLS.
    /// - Parameter cluster: the hosts' names end in it too, in small letters.
    public static func standard(
        named cluster: ClusterName = ClusterName("Lab"), pace: LabPace = LabPace()
    ) -> LabScenario {
        let domain = cluster.rawValue.lowercased()
        let hosts = (1...3).map { number in
            LabHostSpec(
                name: HostName("esx\(number).\(domain)"), reference: "host-\(number + 8)")
        }
        var guests: [LabGuestSpec] = []
        func add(_ name: String, on host: Int, _ nature: GuestNature = .ordinary) {
            let number = guests.count + 1
            guests.append(
                LabGuestSpec(
                    id: GuestID(
                        "50000000-0000-4000-8000-0000000000"
                            + (number < 16 ? "0" : "") + String(number, radix: 16)),
                    name: name, reference: "vm-\(100 + number)",
                    vmxPath: "[datastore 1] guest\(number)/guest\(number).vmx",
                    host: hosts[host - 1].name, nature: nature))
        }
        add("app-web01", on: 1)
        add("app-web02", on: 2)
        add("app-$(reboot)'\"; `x` 日本語", on: 3)
        add("app-two\nlines", on: 2)
        add("mid-queue01", on: 1)
        add("mid-queue02", on: 2)
        add("mid-noisy", on: 3)
        add("mid-notools", on: 1)
        add("db-main", on: 2)
        add("db-replica", on: 3)
        add("db-backup", on: 1)
        add("vcsa01", on: 2)
        add("vCLS-4c4c4544-0001", on: 1, .vcls)
        add("vCLS-4c4c4544-0002", on: 3, .vcls)
        for index in guests.indices {
            if guests[index].name == "mid-notools" { guests[index].hasTools = false }
            if guests[index].name == "mid-noisy" { guests[index].ignoresShutdown = true }
            if guests[index].name == "vcsa01" { guests[index].isVCSA = true }
            if guests[index].name == "app-web02" { guests[index].drsLevel = .fullyAutomated }
        }
        return LabScenario(
            cluster: cluster, clusterReference: "domain-c8", feed: FeedName("ups1"),
            hosts: hosts, guests: guests,
            automation: Automation(
                ha: true, drsEnabled: true, drsLevel: .fullyAutomated, drsOverrides: true,
                dpm: false, vcls: .unset),
            pace: pace)
    }
}

/// A simulated host.
public struct LabHostSpec: Sendable {
    /// Its name.
    public var name: HostName
    /// vCenter's reference of it.
    public var reference: String
    /// Whether DPM has put it to sleep: nothing may be on there at first.
    public var inStandby = false
    /// Whether UEFI Secure Boot is on: then it runs no local.sh.
    public var secureBoot = false
    /// Whether vpower has a login for its own SOAP endpoint: only over that is autostart set.
    public var hasAPI = false
    /// Whether it has a management controller that vpower may ask.
    public var hasBMC = false
    /// What it starts by itself before the outage.
    public var autostart = LabHostSpec.noAutostart
    /// Whether the site file has vpower start SSH for a run.
    public var opensSSH = false
    /// Whether SSH runs at first.
    public var sshRuns = true
    /// Whether a boot starts SSH.
    public var sshStartsAtBoot = true

    /// What a host has of which nothing was ever said (facts/vsphere.md 4.3).
    public static let noAutostart = HostAutostart(
        defaults: HostAutostart.Defaults(
            enabled: false, startDelaySeconds: 120, stopDelaySeconds: 120,
            waitForHeartbeat: false, stopAction: "PowerOff"), guests: [])

    /// A host.
    public init(name: HostName, reference: String) {
        self.name = name
        self.reference = reference
    }
}

/// A simulated guest.
public struct LabGuestSpec: Sendable {
    /// Its instanceUuid.
    public var id: GuestID
    /// Its name.
    public var name: String
    /// vCenter's reference of it.
    public var reference: String
    /// Its configuration file.
    public var vmxPath: String
    /// The host it is registered on at first.
    public var host: HostName
    /// What kind of guest it is.
    public var nature: GuestNature
    /// Whether VMware Tools run in it while it is on.
    public var hasTools = true
    /// Whether it takes a shutdown request and does nothing.
    public var ignoresShutdown = false
    /// Whether it is the vCenter of the site.
    public var isVCSA = false
    /// Whether vpower runs in it.
    public var isController = false
    /// Whether it is on at first.
    public var isOn = true
    /// From a request to its being off, where that is not the pace's.
    public var stopsIn: Duration?
    /// Whether it resolves names for the others.
    public var isDNS = false
    /// Where an administrator has put it.
    public var labels = GuestLabels(folder: "", resourcePool: "")
    /// Its memory in MiB.
    public var memoryMiB = 4096
    /// Whether it waits for the answer to a question.
    public var hasQuestion = false
    /// Whether the task that cuts its power never ends: only ending its process helps.
    public var hangsAtPowerOff = false
    /// Who has disabled its being shut down, if anybody has.
    public var disabledBy: String?
    /// The key provider of its encryption; nil where it is not encrypted.
    public var keyProvider: String?
    /// Whether that is vCenter's own, and no KMS.
    public var hasNativeKey = false
    /// Whether it has a virtual TPM.
    public var hasTPM = false
    /// Its own DRS level, where that is not the cluster's.
    public var drsLevel: DRSLevel?

    /// A guest.
    public init(
        id: GuestID, name: String, reference: String, vmxPath: String, host: HostName,
        nature: GuestNature
    ) {
        self.id = id
        self.name = name
        self.reference = reference
        self.vmxPath = vmxPath
        self.host = host
        self.nature = nature
    }
}

/// A simulated machine: all guests' storage, if that is to matter.
public struct LabMachineSpec: Sendable {
    /// Its name.
    public var name: MachineName
    /// How long after it was told it goes; nil where it does so at once.
    public var delay: Duration?
    /// Whether it can be called off until then.
    public var canBeCalledOff: Bool

    /// A machine.
    public init(name: MachineName, delay: Duration? = nil, canBeCalledOff: Bool = false) {
        self.name = name
        self.delay = delay
        self.canBeCalledOff = canBeCalledOff
    }
}

/// How long things take in a lab.
public struct LabPace: Sendable {
    /// From a request to a guest's being off.
    public var guestStops: Duration = .milliseconds(1500)
    /// From a guest's start to its Tools' answering.
    public var toolsUp: Duration = .milliseconds(1000)
    /// From a command to a host's being off.
    public var hostStops: Duration = .milliseconds(1500)
    /// From when a machine goes to its being off.
    public var machineStops: Duration = .milliseconds(1500)
    /// From power to a machine's answering.
    public var machineBoots: Duration = .milliseconds(1000)
    /// From power to a host's SSH daemon and local.sh.
    public var hostBoots: Duration = .milliseconds(2000)
    /// From there to hostd's answering.
    public var hostdUp: Duration = .milliseconds(1500)
    /// From vCSA's start to vCenter's answering 503, then to its answering.
    public var vcenterUp: Duration = .milliseconds(4000)
    /// From a change of HA to its agents' following.
    public var haFollows: Duration = .milliseconds(1000)
    /// From a change of vCLS to its guests' following.
    public var vclsFollows: Duration = .milliseconds(1500)
    /// From a host's death to HA's restarting its guests elsewhere.
    public var haRestarts: Duration = .milliseconds(2000)
    /// How long each stage takes of what vCenter does when it shuts a vSAN cluster down.
    public var vsanStage: Duration = .milliseconds(800)
    /// From the command to the output's being off.
    public var outputCuts: Duration = .milliseconds(1000)
    /// The least time the output stays off.
    public var outputStaysOff: Duration = .milliseconds(1500)
    /// From a change to vCenter's telling it to those who wait: it tells several at once.
    public var vcenterTells: Duration = .milliseconds(20)
    /// How long the battery lasts.
    public var battery: Duration = .seconds(600)

    /// The drill's pace: everything takes seconds.
    public init() {}
}
