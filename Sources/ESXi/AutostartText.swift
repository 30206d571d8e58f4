/// One guest in a host's autostart order: `vim-cmd hostsvc/autostartmanager/get_autostartseq`.
struct AutostartEntry: Hashable, Sendable {
    /// The guest's id on this host.
    var vmid: Int
    /// Its place; several guests may have the same.
    var order: Int
    /// Whether the host starts it: an entry may be there for its stop alone.
    var starts: Bool

    /// The entries in an output; nil when it is none.
    static func list(_ output: String) -> [AutostartEntry]? {
        VimText.list(of: "vim.host.AutoStartManager.AutoPowerInfo", in: output) { dump in
            guard let key = VimText.property("key", in: dump),
                let vmid = VimText.reference(key, to: "vim.VirtualMachine").flatMap({ Int($0) }),
                let order = VimText.property("startOrder", in: dump).flatMap({ Int($0) })
            else { return nil }
            // powerOn or PowerOn; none and PowerOff do not start it (facts/esxi.md 1.5).
            let action = VimText.property("startAction", in: dump)?.lowercased()
            return AutostartEntry(vmid: vmid, order: order, starts: action == "poweron")
        }
    }

    /// Whether autostart is on at all, from `get_defaults`; nil when that does not say.
    static func isEnabled(_ defaults: String) -> Bool? {
        switch VimText.property("enabled", in: defaults) {
        case "true": true
        case "false": false
        default: nil
        }
    }
}
