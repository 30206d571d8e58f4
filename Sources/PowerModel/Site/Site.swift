/// All that one configuration file describes (`/etc/vpower/site.yaml`).
public struct Site: Hashable, Sendable {
    /// The site's own name, for messages.
    public var name: String
    /// The UPSes.
    public var feeds: [Feed]
    /// The vSphere clusters.
    public var clusters: [ClusterSite]
    /// Everything else that is stopped or woken.
    public var machines: [MachineSite]

    /// A site of these parts.
    public init(
        name: String, feeds: [Feed], clusters: [ClusterSite], machines: [MachineSite] = []
    ) {
        self.name = name
        self.feeds = feeds
        self.clusters = clusters
        self.machines = machines
    }

    /// The cluster of this name.
    public func cluster(_ name: ClusterName) -> ClusterSite? {
        clusters.first { $0.name == name }
    }

    /// The feed of this name.
    public func feed(_ name: FeedName) -> Feed? { feeds.first { $0.name == name } }

    /// The clusters that lose a host when only these feeds are healthy (NUT's MINSUPPLIES logic:
    /// a host is at risk only when too few of its feeds are healthy).
    public func clustersAtRisk(healthy: Set<FeedName>) -> [ClusterSite] {
        clusters.filter { !$0.hostsAtRisk(healthy: healthy).isEmpty }
    }
}

/// One UPS, read from upsd.
public struct Feed: Hashable, Sendable {
    /// vpower's name for it.
    public var name: FeedName
    /// Where upsd listens.
    public var server: Endpoint
    /// The UPS's name at that upsd.
    public var ups: String
    /// The upsd user vpower logs in as, if it is to LOGIN at all.
    public var user: String?
    /// That user's password.
    public var password: SecretReference?
    /// Whether the connection must be TLS. Never a silent fallback (facts/nut.md 1.4).
    public var tls: FeedTLS
    /// The runtime to assume where the UPS gives none.
    public var assumedRuntime: Duration?
    /// When an outage of this feed becomes a run.
    public var trigger: TriggerPolicy
    /// How the output is cut, if vpower is to do it.
    public var output: OutputPolicy?

    /// A feed of these parts.
    public init(
        name: FeedName, server: Endpoint, ups: String, user: String? = nil,
        password: SecretReference? = nil, tls: FeedTLS = .off, assumedRuntime: Duration? = nil,
        trigger: TriggerPolicy = TriggerPolicy(), output: OutputPolicy? = nil
    ) {
        self.name = name
        self.server = server
        self.ups = ups
        self.user = user
        self.password = password
        self.tls = tls
        self.assumedRuntime = assumedRuntime
        self.trigger = trigger
        self.output = output
    }
}

/// Whether upsd is spoken to in TLS.
public enum FeedTLS: Hashable, Sendable {
    /// Clear text.
    case off
    /// STARTTLS, verified against this bundle of certificates (a PEM file), or nothing at all.
    case require(caBundle: String)
}

/// A name or address, and a TCP port.
public struct Endpoint: Hashable, Codable, Sendable, CustomStringConvertible {
    /// A DNS name or an IP address, without brackets.
    public var host: String
    /// The TCP port, 1 to 65535.
    public var port: Int

    /// An endpoint.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `host:port`, an IPv6 address in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// When an outage becomes a run. The first of these that is true decides.
public struct TriggerPolicy: Hashable, Codable, Sendable {
    /// After this time on battery.
    public var onBatteryFor: Duration?
    /// When the UPS says that no more than this is left.
    public var runtimeBelow: Duration?
    /// When the UPS says that no more than this charge is left, in percent.
    public var chargeBelowPercent: Int?
    /// A feed that was last seen on battery and has been silent this long counts as `OB LB`
    /// (upsmon's DEADTIME, facts/nut.md 1.6).
    public var silentFor: Duration
    /// How long the mains must be back before a restore starts hosts and guests.
    public var mainsStableFor: Duration
    /// The charge in percent that a restore waits for, so that a second outage finds a battery.
    public var restoreAtPercent: Int?

    /// upsmon's DEADTIME is 15 s with a poll every 5 s.
    public static let silentForDefault: Duration = .seconds(25)
    /// Long enough to sit out the flapping that often follows an outage.
    public static let mainsStableForDefault: Duration = .seconds(60)

    /// A policy; `OB LB` always triggers at once, whatever it says.
    public init(
        onBatteryFor: Duration? = nil, runtimeBelow: Duration? = nil,
        chargeBelowPercent: Int? = nil, silentFor: Duration = TriggerPolicy.silentForDefault,
        mainsStableFor: Duration = TriggerPolicy.mainsStableForDefault,
        restoreAtPercent: Int? = nil
    ) {
        self.onBatteryFor = onBatteryFor
        self.runtimeBelow = runtimeBelow
        self.chargeBelowPercent = chargeBelowPercent
        self.silentFor = silentFor
        self.mainsStableFor = mainsStableFor
        self.restoreAtPercent = restoreAtPercent
    }
}

/// How a feed's output is cut after everything on it is down.
public struct OutputPolicy: Hashable, Codable, Sendable {
    /// The instant command, `shutdown.return` unless the UPS wants another.
    public var command: String

    /// Cuts with this instant command.
    public init(command: String = "shutdown.return") { self.command = command }
}

/// A vSphere cluster of the site.
public struct ClusterSite: Hashable, Sendable {
    /// As vCenter names it.
    public var name: ClusterName
    /// The vCenter that manages it.
    public var vcenter: VCenterSite
    /// The guest of this cluster that is its vCenter: its name or its instanceUuid. Nil where
    /// vCenter runs elsewhere: in a cluster of `needs`, or outside of the site.
    public var vcsaGuest: String?
    /// Whether vCSA's guest is to be found by evidence: the site file says nothing of it.
    public var findsVCSA: Bool
    /// The clusters of the site that hold this one's vCSA, infrastructure or controller: they go
    /// down after it and come up before it.
    public var needs: [ClusterName]
    /// The guest in which vpower runs, if it does: its name or its instanceUuid.
    public var controllerGuest: String?
    /// Whether the site file says that vpower runs in none of the cluster's guests.
    public var controllerElsewhere: Bool
    /// Its ESXi hosts.
    public var hosts: [HostSite]
    /// The tiers, in the order in which they go down.
    public var tiers: [TierSite]
    /// The tier of every guest that no tier names.
    public var defaultTier: TierName
    /// Guests others need to work at all: down after vCSA, up before it.
    public var infrastructure: GuestChoice
    /// What holds for single guests, whatever their tier; the first rule that says it decides.
    public var guestRules: [GuestRule]
    /// How questions of guests are answered; the first that fits one decides. One that none fits
    /// is a person's to answer.
    public var answers: [QuestionAnswer]
    /// Whether vCSA and infrastructure guests of a host that never comes back are registered and
    /// started on another one, once that host is proven off.
    public var adoptGuests: Bool
    /// Limits of waits that are not a tier's.
    public var limits: ClusterLimits
    /// Whether hosts are put in maintenance mode before they are shut down.
    public var maintenanceMode: Bool
    /// How the guests of its hosts come up after a cut, where a host says nothing else.
    public var boot: BootPolicy
    /// A machine behind the hosts' switch that must still answer for silence to mean "down".
    public var witness: Endpoint?
    /// What boot scripts start at a boot that nobody announced.
    public var unarmedBoot: UnarmedBoot = .nothing
    /// What every host's boot script brings back at every boot.
    public var extras: [BootExtra] = []

    /// A cluster of these parts.
    public init(
        name: ClusterName, vcenter: VCenterSite, vcsaGuest: String?, findsVCSA: Bool = false,
        needs: [ClusterName] = [], controllerGuest: String? = nil,
        controllerElsewhere: Bool = false, hosts: [HostSite], tiers: [TierSite],
        defaultTier: TierName, infrastructure: GuestChoice = [],
        guestRules: [GuestRule] = [], answers: [QuestionAnswer] = [], adoptGuests: Bool = false,
        limits: ClusterLimits = ClusterLimits(), maintenanceMode: Bool = false,
        boot: BootPolicy = .auto, witness: Endpoint? = nil
    ) {
        self.name = name
        self.vcenter = vcenter
        self.vcsaGuest = vcsaGuest
        self.findsVCSA = findsVCSA
        self.needs = needs
        self.controllerGuest = controllerGuest
        self.controllerElsewhere = controllerElsewhere
        self.hosts = hosts
        self.tiers = tiers
        self.defaultTier = defaultTier
        self.infrastructure = infrastructure
        self.guestRules = guestRules
        self.answers = answers
        self.adoptGuests = adoptGuests
        self.limits = limits
        self.maintenanceMode = maintenanceMode
        self.boot = boot
        self.witness = witness
    }
}

/// How a vCenter is reached.
public struct VCenterSite: Hashable, Sendable {
    /// Its name (the one in its certificate) and port.
    public var endpoint: Endpoint
    /// The user to log in as.
    public var user: String
    /// That user's password.
    public var password: SecretReference
    /// How its certificate is verified.
    public var trust: CertificateTrust
    /// In which form it is asked.
    public var transport: VCenterTransport
    /// Over which interface guests are shut down, stopped, suspended and started.
    public var guestPower: GuestPowerRoute
    /// The HTTP proxy to go through, e.g. `http://proxy.example.org:3128`; nil goes straight there.
    public var proxy: String?

    /// A vCenter.
    public init(
        endpoint: Endpoint, user: String, password: SecretReference, trust: CertificateTrust,
        transport: VCenterTransport = .soap, guestPower: GuestPowerRoute = .vim,
        proxy: String? = nil
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.trust = trust
        self.transport = transport
        self.guestPower = guestPower
        self.proxy = proxy
    }
}

/// In which form vim25 is spoken with a vCenter: the calls and what they do are the same.
public enum VCenterTransport: String, CaseIterable, Hashable, Sendable {
    /// XML: every release.
    case soap
    /// VI JSON: vCenter 8.0U1 and newer. Where vCenter does not offer it, SOAP is used.
    case json
}

/// Over which of a vCenter's interfaces guests are shut down, stopped, suspended and started.
public enum GuestPowerRoute: String, CaseIterable, Hashable, Sendable {
    /// vim25, as `transport` says: every release.
    case vim
    /// The REST Automation API. What it cannot say or do goes over vim25.
    case rest
}

/// How a server's certificate is verified. There is no "not at all".
public enum CertificateTrust: Hashable, Sendable {
    /// By the machine's own certificate authorities.
    case system
    /// By the authorities in this PEM file.
    case bundle(path: String)
    /// By the SHA-256 of the certificate itself (DER), 64 hexadecimal digits in lower case.
    /// Dates are ignored: clocks are wrong after a power cut.
    case pinned(sha256: String)
}

/// One ESXi host and how it is reached.
public struct HostSite: Hashable, Sendable {
    /// As vCenter names it.
    public var name: HostName
    /// Where its SSH daemon listens.
    public var ssh: Endpoint
    /// The user to log in as, usually `root`.
    public var user: String
    /// How that user logs in.
    public var login: HostLogin
    /// Accepted host keys: `SHA256:` and the base64 that `ssh-keygen -l` prints.
    public var hostKeys: [String]
    /// Its own SOAP endpoint, where vpower has a login for it.
    public var api: HostAPISite?
    /// What is asked first; the boot script has SSH only.
    public var control: HostRoute
    /// The feeds its power supplies hang on.
    public var feeds: [FeedName]
    /// How many of them must be healthy.
    public var feedsNeeded: Int
    /// The hardware address to wake it by, `aa:bb:cc:dd:ee:ff`.
    public var wakeAddress: String?
    /// What its boot script brings back at every boot, after what the cluster names.
    public var extras: [BootExtra] = []
    /// How its guests come up after a cut; nil for what holds for the cluster.
    public var boot: BootPolicy?
    /// When its SSH service runs.
    public var sshPolicy = SSHPolicy.always
    /// Its management controller, where vpower may ask it.
    public var bmc: BMCSite?

    /// A host.
    public init(
        name: HostName, ssh: Endpoint, user: String = "root", login: HostLogin,
        hostKeys: [String], api: HostAPISite? = nil, control: HostRoute? = nil,
        feeds: [FeedName], feedsNeeded: Int = 1, wakeAddress: String? = nil,
        boot: BootPolicy? = nil
    ) {
        self.name = name
        self.ssh = ssh
        self.user = user
        self.login = login
        self.hostKeys = hostKeys
        self.api = api
        self.control = control ?? (api == nil ? .ssh : .soap)
        self.feeds = feeds
        self.feedsNeeded = feedsNeeded
        self.wakeAddress = wakeAddress
        self.boot = boot
    }
}

/// A host's own SOAP endpoint and how vpower logs in there.
public struct HostAPISite: Hashable, Sendable {
    /// Its address and port.
    public var endpoint: Endpoint
    /// The user to log in as, usually `root`.
    public var user: String
    /// That user's password.
    public var password: SecretReference
    /// How its certificate is verified.
    public var trust: CertificateTrust

    /// An endpoint.
    public init(
        endpoint: Endpoint, user: String = "root", password: SecretReference,
        trust: CertificateTrust
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.trust = trust
    }
}

/// A way to a host that needs no vCenter.
public enum HostRoute: String, CaseIterable, Hashable, Sendable {
    /// Its own SOAP endpoint.
    case soap
    /// Its shell.
    case ssh

    /// The other one.
    public var other: HostRoute {
        switch self {
        case .soap: .ssh
        case .ssh: .soap
        }
    }

    /// As people write it.
    public var name: String { rawValue.uppercased() }
}

/// How vpower logs in to a host.
public enum HostLogin: Hashable, Sendable {
    /// With a private key in this file (ECDSA for ESXi 8: facts/esxi.md section 5), and its
    /// passphrase if it has one.
    case key(path: String, passphrase: SecretReference? = nil)
    /// With a key of the SSH agent at this socket: the one with this fingerprint, `SHA256:` and
    /// the base64 that `ssh-add -l` prints, or its only one.
    case agent(socket: String, fingerprint: String? = nil)
    /// With a password, through keyboard-interactive.
    case password(SecretReference)

    /// The secret it needs, if any.
    public var secret: SecretReference? {
        switch self {
        case .key(_, let passphrase): passphrase
        case .agent: nil
        case .password(let reference): reference
        }
    }
}

/// The limits of a cluster's waits. Each has a name and a default from the vendor's own scripts
/// (facts/vsphere.md section 6, "PM's waits").
public struct ClusterLimits: Hashable, Codable, Sendable {
    /// Until HA, DRS and DPM are seen to be off.
    public var freeze: Duration = .seconds(120)
    /// Until the vCLS guests are gone, or back.
    public var vcls: Duration = .seconds(300)
    /// Until a boot script is installed and read back, HA's agent is seen stopped on a host, SSH is
    /// seen to run there, or a machine was told to go by itself.
    public var arm: Duration = .seconds(60)
    /// Until vCSA has shut down.
    public var vcsa: Duration = .seconds(600)
    /// Until a guest of the infrastructure tier has shut down.
    public var infrastructure: Duration = .seconds(300)
    /// Until a vSAN cluster is made ready for its hosts to go, or recovered. The vendor's own
    /// script gives each of the two so long (facts/esxi.md section 7).
    public var vsan: Duration = .seconds(900)
    /// Until a host is in maintenance mode.
    public var maintenance: Duration = .seconds(60)
    /// Until a host is down.
    public var host: Duration = .seconds(600)
    /// From the moment the controller's own host is told to shut the controller and then itself
    /// down until it is off, where vpower runs in a guest of the cluster: the output and machines
    /// must wait at least so long.
    public var leave: Duration = .seconds(300)
    /// How long a host's ports must be silent before it counts as down.
    public var settle: Duration = .seconds(20)
    /// Until a host is back after its power is.
    public var hostBack: Duration = .seconds(1800)
    /// Until a host's boot script reports that it is done.
    public var bootScript: Duration = .seconds(1800)
    /// Until vCenter answers after vCSA was started. The vendor tolerates 30 minutes.
    public var vcenterBack: Duration = .seconds(1800)
    /// Until a guest that was started is on.
    public var start: Duration = .seconds(300)
    /// How long an armed boot script acts: a host that boots later starts nothing.
    public var armedFor: Duration = .seconds(7 * 24 * 3600)
    /// What a boot script waits, with all that is needed there, before it starts the first guest.
    /// Guests that were started at once ran into each other's file locks and into vMotion
    /// (facts/esxi.md section 6): there 300 s stood for conditions that are looked at now.
    public var bootSettle: Duration = .seconds(60)
    /// Between two guests that a boot script starts.
    public var startGap: Duration = .seconds(5)
    /// What a boot script waits for vCSA to answer, at most, before it starts the others; all of it
    /// where its host cannot look.
    public var afterVCSA: Duration = .seconds(300)
    /// Between two looks at what gives no signal of its own: a host, HA's agents.
    public var look: Duration = .seconds(2)
    /// Until the Tools of a guest that was started answer, where its tier waits for them.
    public var tools: Duration = .seconds(300)
    /// Until a cluster that needs this one is down. Its own default limits add up to less.
    public var dependents: Duration = .seconds(1800)
    /// What is kept of the runtime the UPS promises: the deadline is that much before its end.
    public var margin: Duration = .seconds(60)

    /// The defaults.
    public init() {}

    /// The least `delay` of a machine that is to outlast the controller's own host: each of them is
    /// told, then that host.
    public var leastDelay: Duration { arm + leave }
}

/// A machine that is neither host nor guest: storage, a switch, a Linux server.
public struct MachineSite: Hashable, Sendable {
    /// Its name.
    public var name: MachineName
    /// Where its SSH daemon listens.
    public var ssh: Endpoint
    /// The user to log in as.
    public var user: String
    /// How that user logs in.
    public var login: HostLogin
    /// Accepted host keys: `SHA256:` and the base64 that `ssh-keygen -l` prints.
    public var hostKeys: [String]
    /// The command that shuts it down, given to the far side's shell as it is written.
    public var shutdownCommand: String
    /// How long after that command the machine goes by itself; nil where it does so at once.
    public var delay: Duration?
    /// The command that calls such a delayed shutdown off; nil where nothing does.
    public var cancelCommand: String?
    /// The hardware address to wake it by.
    public var wakeAddress: String?
    /// The feeds it hangs on.
    public var feeds: [FeedName]
    /// Until it is down, counted from when it goes.
    public var limit: Duration

    /// Until it is down, counted from its being told.
    public var goneWithin: Duration { (delay ?? .zero) + limit }

    /// A machine.
    public init(
        name: MachineName, ssh: Endpoint, user: String, login: HostLogin, hostKeys: [String],
        shutdownCommand: String, delay: Duration? = nil, cancelCommand: String? = nil,
        wakeAddress: String? = nil, feeds: [FeedName], limit: Duration = .seconds(300)
    ) {
        self.name = name
        self.ssh = ssh
        self.user = user
        self.login = login
        self.hostKeys = hostKeys
        self.shutdownCommand = shutdownCommand
        self.delay = delay
        self.cancelCommand = cancelCommand
        self.wakeAddress = wakeAddress
        self.feeds = feeds
        self.limit = limit
    }
}
