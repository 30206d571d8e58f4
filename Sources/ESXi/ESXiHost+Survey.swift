import PowerModel
public import PowerRun

/// What a host says of itself, besides its guests: what an operator should know before an outage.
public struct HostSurvey: Hashable, Sendable {
    /// What it runs; nil where it does not say.
    public var release: HostRelease?
    /// Whether UEFI Secure Boot is on.
    public var secureBoot: SecureBoot
    /// What it starts at boot in an order of its own; nil where that is nothing.
    public var autostart: Autostart?
    /// What hinders a restore, one sentence each.
    public var problems: [String]
    /// What is good to know, one sentence each.
    public var notes: [String]

    /// Guests in a host's own autostart order.
    public struct Autostart: Hashable, Sendable {
        /// How many of them are to start, at least 1.
        public var guests: Int
        /// Whether autostart is on; nil where the host does not say.
        public var isOn: Bool?
    }

    /// Its release and how it boots, in one line.
    public var summary: String {
        let boot =
            switch secureBoot {
            case .enabled: "Secure Boot on"
            case .disabled: "Secure Boot off"
            case .unknown: "whether Secure Boot is on is not known"
            }
        return "\(release?.description ?? "its release is not known"), \(boot)"
    }
}

extension ESXiHost {
    /// Looks at what nothing else asks for: the release, the datastores, what starts by itself.
    /// Changes nothing. What a release does not have, or does not say, is left out.
    public func survey() async throws(HostError) -> HostSurvey {
        let attempting = "look at the host"
        let nonce = Sections.Nonce()
        let sections = try await run(
            Self.surveyScript(nonce), nonce, attempting: attempting, limit: limits.list)
        func text(_ tag: String) -> String { sections.text(tag) ?? "" }
        if VimText.saysNotReady(text("datastores")) {
            throw error(.notReady, attempting, Self.shortened(text("datastores")))
        }
        var survey = HostSurvey(
            release: HostRelease(text("version")),
            secureBoot: SecureBoot(text("secureboot"), settings: text("encryption")),
            autostart: Self.autostart(text), problems: [], notes: [])
        addStorage(text, to: &survey)
        if let names = HostNames(text("names")), !names.fit(host) {
            survey.notes.append(
                "who answers at its address calls itself \(names.full.onOneLine): is the address "
                    + "another host's?")
        }
        if !text("cron").isEmpty, Crontab.savesAtMinute(text("cron")) == nil {
            survey.notes.append(
                "root's crontab has no hourly auto-backup.sh: what is changed on it is lost when "
                    + "its power is cut")
        }
        return survey
    }

    private static func surveyScript(_ nonce: Sections.Nonce) -> String {
        """
        \(EsxcliText.ask)
        \(nonce.begin("datastores"))
        vim-cmd hostsvc/datastore/listsummary </dev/null 2>&1
        \(nonce.begin("volumes"))
        vpower_esxcli storage filesystem list
        \(nonce.begin("nfs"))
        vpower_esxcli storage nfs list
        \(nonce.begin("version"))
        vpower_esxcli system version get
        \(nonce.begin("names"))
        vpower_esxcli system hostname get
        \(Self.secureBootScript(nonce))
        \(nonce.begin("autostart"))
        vim-cmd hostsvc/autostartmanager/get_autostartseq </dev/null 2>&1
        \(nonce.begin("autostartDefaults"))
        vim-cmd hostsvc/autostartmanager/get_defaults </dev/null 2>&1
        \(nonce.begin("cron"))
        cat /var/spool/cron/crontabs/root 2>/dev/null
        """
    }

    /// Sections `secureboot` and, where that does not say, `encryption`. `EsxcliText.ask` comes
    /// before it.
    static func secureBootScript(_ nonce: Sections.Nonce) -> String {
        """
        vpower_secure=$(/usr/lib/vmware/secureboot/bin/secureBoot.py -s 2>/dev/null)
        \(nonce.begin("secureboot"))
        printf '%s\\n' "$vpower_secure"
        \(nonce.begin("encryption"))
        case $vpower_secure in *abled) ;; *) vpower_esxcli system settings encryption get ;; esac
        """
    }

    private func addStorage(_ text: (String) -> String, to survey: inout HostSurvey) {
        let datastores = DatastoreSummary.list(text("datastores"))
        let mounts = NFSMount.list(text("nfs")) ?? []
        var lost = (datastores ?? []).filter { !$0.isAccessible }.map(\.name)
        // hostd may not have noticed yet what the kernel knows.
        lost += mounts.filter { !$0.isAccessible || !$0.isMounted }.map(\.name)
            .filter { !lost.contains($0) }
        for name in lost {
            let mount = mounts.first { $0.name == name }
            let place = mount.map { " (NFS \($0.server.onOneLine):\($0.share.onOneLine))" } ?? ""
            survey.problems.append(
                "its datastore \(name.onOneLine)\(place) is not accessible: guests on it can be "
                    + "neither shut down well nor started")
        }
        let volumes = HostVolume.list(text("volumes")) ?? []
        let away = volumes.filter { !$0.isMounted && !lost.contains($0.name) }
            .map { $0.name.isEmpty ? $0.uuid : $0.name }
        if !away.isEmpty {
            survey.notes.append(
                "\(away.count.counted("volume")) it sees are not mounted: "
                    + away.map(\.onOneLine).joined(separator: ", "))
        }
        if datastores == nil { survey.notes.append("its datastores could not be read") }
    }

    private static func autostart(_ text: (String) -> String) -> HostSurvey.Autostart? {
        let starting = (AutostartEntry.list(text("autostart")) ?? []).filter(\.starts)
        if starting.isEmpty { return nil }
        return HostSurvey.Autostart(
            guests: starting.count, isOn: AutostartEntry.isEnabled(text("autostartDefaults")))
    }
}
