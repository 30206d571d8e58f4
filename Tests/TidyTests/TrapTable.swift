/// Where each trap of the facts on vSphere (`facts/vsphere.md`) is tested: every line of section 4,
/// and every row of the table of faults in section 2.6.
enum TrapTable {
    /// A line or row, and the tests that show what vpower, or the lab, makes of it.
    struct Trap {
        /// Section and place in it: `4.1/2` is the second line of 4.1, `2.6/4` the fourth row.
        let key: String
        /// What it is about.
        let about: String
        /// The tests' names.
        let tests: [String]
        /// A row of the first of them, where that is a table.
        var row: String?
    }

    /// How many lines a section has, and rows the table.
    static let counts = ["4.0": 5, "4.1": 6, "4.2": 5, "4.3": 5, "4.4": 11, "4.5": 5, "2.6": 11]

    static let all = dangerous + ha + vcls + hosts + guests + vcenter + faults

    private static let dangerous = [
        Trap(
            key: "4.0/1", about: "PowerOnMultiVM in manual DRS starts nothing",
            tests: [
                "PowerOnMultiVM in manual DRS succeeds and starts nothing",
                "trap 4.0: a guest is started while DRS is manual",
            ]),
        Trap(
            key: "4.0/2", about: "modify=false resets, drsConfig.enabled=false destroys pools",
            tests: [
                "HA, DRS and DPM are changed in one task, in schema order, and nothing else",
                "automation is changed where it is asked for and nowhere else",
                "pyvmomi reads and steers the whole site",
            ]),
        Trap(
            key: "4.0/3", about: "an old SOAPAction hides fields",
            tests: [
                "trap 4.0: an older SOAPAction hides newer fields without a word",
                "trap 4.0: what the asked version does not know is unknown, and decides nothing",
                "the newest version that both sides know is chosen",
            ]),
        Trap(
            key: "4.0/4", about: "a login with a live cookie, and lock-out",
            tests: [
                "a forgotten session is renewed once, without its cookie",
                "trap 4.0.4: a refused login is never repeated by the same object",
                "trap 2.1: a wrong password is sent once, so that it locks no account",
                "refused logins over SSH and SOAP lock the account together",
                "five refused logins lock the account, also for the right password",
            ]),
        Trap(
            key: "4.0/5", about: "a type by its prefix, a fault by its HTTP status",
            tests: [
                "a type is found by its namespace, never by its prefix",
                "no answer says a type with the letters xsi:type",
                "a fault is known by its type, whatever its status says",
                "a status that is not vim's means that vCenter is starting",
            ]),
    ]

    private static let ha = [
        Trap(
            key: "4.1/1", about: "what went down with its host is started elsewhere",
            tests: [
                "trap 4.1: HA starts elsewhere what went down with its host, not what was shut down",
                "a plan that leaves HA on is a violation",
            ]),
        Trap(
            key: "4.1/2", about: "after a power cut HA starts guests in its own order",
            tests: [
                "trap 4.1: what HA starts after a power cut that nobody handled is taken as it is"
            ]),
        Trap(
            key: "4.1/3", about: "uninitializationError",
            tests: [
                "trap 4.1: an HA agent that vCenter could not take away is told with its fault",
                "trap 4.1: an HA agent that vCenter could not take away is named at the restore",
                "traps 2.4 and 4.3: standby and HA's faults are read of a host",
            ]),
        Trap(
            key: "4.1/4", about: "HA off and retreat before vCSA goes",
            tests: [
                "a whole cluster goes down in this order",
                "trap 4.2: retreat that takes as long as vCenter may need is waited for",
            ]),
        Trap(
            key: "4.1/5", about: "admission control at a restore",
            tests: [
                "everything comes back in this order",
                "a start that is refused says why and what to do",
                "a start that is refused for want of room is tried until its limit, not so many times",
            ]),
        Trap(
            key: "4.1/6", about: "autostart with HA",
            tests: [
                "trap 4.1: a vCSA that its host has started by itself is not started again",
                "vCSA is stopped and started wherever it is registered now",
            ]),
    ]

    private static let vcls = [
        Trap(
            key: "4.2/1", about: "powered-off vCLS guests come back",
            tests: [
                "trap 4.2: a vCLS guest that is powered off comes back, unless retreat mode ends it",
                "what is no ordinary guest is never a target",
            ]),
        Trap(
            key: "4.2/2", about: "retreat takes minutes",
            tests: ["trap 4.2: retreat that takes as long as vCenter may need is waited for"]),
        Trap(
            key: "4.2/3", about: "vCSA down before retreat leaves vCLS",
            tests: ["trap 4.2: vCLS that a dead vCenter has left keeps no host from going down"]),
        Trap(
            key: "4.2/4", about: "evacuation comes before retreat",
            tests: ["trap 4.2: a plan that lets DRS move guests leaves vCLS and DRS alone"]),
        Trap(
            key: "4.2/5", about: "degraded in retreat is normal",
            tests: [
                "trap 4.2: vCLS in retreat by an administrator's will alarms nobody",
                "vCLS is back when vCenter says so, however many guests it has",
                "vCLS guests go with retreat mode and come back",
            ]),
    ]

    private static let hosts = [
        Trap(
            key: "4.3/1", about: "InvalidState without force; maintenance mode lasts",
            tests: [
                "trap 4.3: a host is shut down by force, in maintenance mode or not",
                "a host that boots is not ready before hostd is, and forgets every session",
                "maintenance mode is left only where vpower put the host",
                "maintenance mode is left if vpower entered it, and kept if not",
            ]),
        Trap(
            key: "4.3/2", about: "lockdown mode",
            tests: [
                "trap 4.3: a host in lockdown mode refuses the login, and the error says why",
                "what the user may not do is named with its objects, before an outage",
                "trap 4.3: check tells a host's lockdown mode",
            ]),
        Trap(
            key: "4.3/3", about: "HostAccessRestrictedToManagementServer",
            tests: [
                "trap 4.3: what only vCenter may change on a host is refused with the host's words"
            ]),
        Trap(
            key: "4.3/4", about: "vCSA's host last",
            tests: [
                "a whole cluster goes down in this order",
                "hosts go down with what is on them, vCSA's host last",
            ]),
        Trap(
            key: "4.3/5", about: "DPM's standby",
            tests: [
                "trap 4.3: a host that DPM put to sleep is left as it is, and nobody waits for it",
                "trap 4.3: a host that DPM has woken since goes down like any other",
                "trap 4.3: a host that DPM put to sleep is shown so, and cannot be shut down",
                "traps 2.4 and 4.3: standby and HA's faults are read of a host",
            ]),
    ]

    private static let guests = [
        Trap(
            key: "4.4/1", about: "templates",
            tests: [
                "every row of the facts says what kind of guest it is",
                "what is no ordinary guest is never a target",
            ], row: "a template"),
        Trap(
            key: "4.4/2", about: "FT secondaries",
            tests: [
                "every row of the facts says what kind of guest it is",
                "what is no ordinary guest is never a target",
            ], row: "a second FT secondary"),
        Trap(
            key: "4.4/3", about: "vApp members",
            tests: [
                "a guest whose vApp is busy is busy, and not refused for good",
                "a guest whose vApp is busy is asked again within its limit",
            ]),
        Trap(
            key: "4.4/4", about: "disabledMethod",
            tests: [
                "a method that a solution has disabled is refused by its name",
                "a guest whose shutdown a solution has disabled goes as its policy says, at once",
                "a guest that a solution keeps from being stopped is told",
            ]),
        Trap(
            key: "4.4/5", about: "orphaned, inaccessible, invalid",
            tests: [
                "every row of the facts says what kind of guest it is",
                "trap 4.4: a guest that is broken is no target, and check names it",
            ], row: "inaccessible"),
        Trap(
            key: "4.4/6", about: "rules of DRS",
            tests: [
                "a start that is refused says why and what to do",
                "a start that is refused for want of room is tried until its limit, not so many times",
            ], row: "RuleViolation"),
        Trap(
            key: "4.4/7", about: "suspended guests",
            tests: [
                "trap 4.4: a suspended guest keeps its memory through an outage",
                "a suspended guest is resumed only where the snapshot has it on",
            ]),
        Trap(
            key: "4.4/8", about: "encrypted guests",
            tests: [
                "what others need to work may not hang on an external key provider",
                "an encrypted guest is shown with its provider, and of what kind that is",
                "trap 4.4: a guest whose key its host lacks is named for what it is at a restore",
            ]),
        Trap(
            key: "4.4/9", about: "nested hosts",
            tests: [
                "guests are sorted into the tiers that name them",
                "a guest that two tiers name is in the first",
            ]),
        Trap(
            key: "4.4/10", about: "names are not unique, references change",
            tests: [
                "trap 4.4: guests of one name are told apart by their identity",
                "trap 4.4: a guest that was registered anew is found by its instanceUuid",
                "two guests of vCSA's name are refused with both identities",
            ]),
        Trap(
            key: "4.4/11", about: "references survive vCSA's reboot",
            tests: [
                "a vCenter that is down, then starting, then up is told apart and works again",
                "trap 4.4: a guest that was registered anew is found by its instanceUuid",
            ]),
    ]

    private static let vcenter = [
        Trap(
            key: "4.5/1", about: "vCSA moves until DRS is manual",
            tests: ["vCSA is stopped and started wherever it is registered now"]),
        Trap(
            key: "4.5/2", about: "TLS, and pins of SHA-256",
            tests: [
                "an old TLS is refused",
                "the pinned certificate is accepted and the body comes back whole",
                "a pin that is no SHA-256 in lower case is refused before connecting",
            ]),
        Trap(
            key: "4.5/3", about: "a crash loop takes session slots",
            tests: [
                "trap 4.5: a daemon that crashes in a loop leaves vCenter enough sessions",
                "the end leaves no session behind",
            ]),
        Trap(
            key: "4.5/4", about: "views and filters of dead sessions",
            tests: ["trap 4.5: what is read again and again leaves nothing open at vCenter"]),
        Trap(
            key: "4.5/5", about: "vpxd answers before the rest does",
            tests: [
                "a vCenter that takes 30 minutes is waited for",
                "a login refused while vCenter starts is tried again, but not at once",
                "tags that cannot be read leave a snapshot with a warning and those known before",
            ]),
    ]

    private static func fault(_ number: Int, _ about: String, _ row: String) -> Trap {
        Trap(
            key: "2.6/\(number)", about: about,
            tests: ["each answer to a guest's shutdown has its reason"], row: row)
    }

    private static let faults = [
        fault(1, "Tools do not run", "no Tools"), fault(2, "already off", "already off"),
        fault(3, "suspended", "suspended"),
        fault(4, "a template, an FT secondary", "a template or an FT secondary"),
        fault(5, "another operation in flight", "another operation is under way"),
        fault(6, "HA's master does not manage it", "HA's master does not manage it"),
        fault(7, "host unreachable, guest disconnected", "it is disconnected itself"),
        fault(8, "guest gone", "it is gone"), fault(9, "no privilege", "no privilege"),
        Trap(
            key: "2.6/10", about: "session gone",
            tests: ["a forgotten session is renewed once, without its cookie"]),
        fault(11, "method disabled", "a solution has disabled the method"),
    ]
}
