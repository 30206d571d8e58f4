import PowerModel
public import PowerRun

extension ESXiHost {
    /// esxcli wants at least this long before it acts (facts/esxi.md section 2).
    static let shutdownDelaySeconds = 10

    /// Whether the host is in maintenance mode. `notReady` while hostd does not answer.
    public func inMaintenance() async throws(HostError) -> Bool {
        let attempting = "read the maintenance mode"
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("runtime"))
            vim-cmd hostsvc/runtimeinfo 2>&1
            \(nonce.begin("mode"))
            esxcli system maintenanceMode get 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        let runtime = sections.text("runtime") ?? ""
        let mode = sections.text("mode") ?? ""
        if VimText.saysNotReady(runtime) || VimText.saysNotReady(mode) {
            throw error(.notReady, attempting, Self.shortened(runtime))
        }
        if let isEnabled = MaintenanceText.isEnabled(mode) { return isEnabled }
        switch VimText.property("inMaintenanceMode", in: runtime) {
        case "true": return true
        case "false": return false
        default:
            throw error(.badAnswer, attempting, Self.shortened(mode + "\n" + runtime))
        }
    }

    /// Enters or leaves maintenance mode; success also when it was so already. Entering waits
    /// until no guest runs.
    public func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        let attempting = on ? "enter maintenance mode" : "leave maintenance mode"
        if try await inMaintenance() == on { return }
        let nonce = Sections.Nonce()
        // 0 would mean: no limit.
        let seconds = max(1, limit.components.seconds)
        let sections = try await run(
            """
            # On vSAN it would first make sure that others have what the host stores.
            mode=''
            esxcli vsan cluster get >/dev/null 2>&1 && mode='-m noAction'
            \(nonce.begin("said"))
            esxcli system maintenanceMode set -e \(on) -t \(seconds) $mode 2>&1
            """, nonce, attempting: attempting, limit: limit + limits.command)
        if try await inMaintenance() == on { return }
        let said = sections.text("said") ?? ""
        if VimText.saysNotReady(said) { throw error(.notReady, attempting, Self.shortened(said)) }
        throw error(.refused, attempting, "not done within \(limit.short): \(Self.shortened(said))")
    }

    /// Tells the host to power itself off, orderly and in the background, so that the answer
    /// still arrives. In maintenance mode by esxcli, else, or when esxcli will not, by `poweroff`.
    public func shutDownHost(reason: String) async throws(HostError) {
        let attempting = "shut down the host"
        let words = ShellWord.quoted(Self.reasonWords(reason))
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("said"))
            told=''
            case $(esxcli system maintenanceMode get 2>&1) in
            Enabled*)
                said=$(esxcli system shutdown poweroff \
                    -d \(Self.shutdownDelaySeconds) -r \(words) 2>&1)
                # It is silent when it obeys; its status alone is not known to tell.
                [ "$?" -eq 0 ] && [ -z "$said" ] && told=esxcli
                printf '%s\\n' "$said" ;;
            esac
            if [ -z "$told" ]; then
                off=/sbin/poweroff
                [ -x "$off" ] || off=$(which poweroff) || off=''
                if [ -n "$off" ]; then
                    ( trap '' HUP; sleep 1; exec "$off" ) </dev/null >/dev/null 2>&1 &
                    told=poweroff
                fi
            fi
            \(nonce.begin("told"))
            printf '%s\\n' "$told"
            """, nonce, attempting: attempting, limit: limits.command)
        guard !VimText.lines(of: sections.text("told") ?? "").isEmpty else {
            let said = Self.shortened(sections.text("said") ?? "")
            throw error(.refused, attempting, "there is no poweroff: \(said)")
        }
    }

    /// The reason as it goes into the host's log: one line, not empty (esxcli insists), short.
    private static func reasonWords(_ reason: String) -> String {
        let words = VimText.lines(of: reason).joined(separator: " ")
        return words.isEmpty ? "vpower" : String(words.prefix(200))
    }
}
