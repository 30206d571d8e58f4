public import PowerModel
public import PowerRun

extension ESXiHost {
    /// More ids than any host can have (1024 guests), and a bound for what notes can look like.
    static let idsMax = 2048

    /// All guests registered on the host with their power, in one command.
    ///
    /// Guests whose datastore is late are not listed by the host, and so not here.
    public func guests() async throws(HostError) -> [HostGuest] {
        let attempting = "list the guests"
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            list=$(vim-cmd vmsvc/getallvms)
            \(nonce.begin("list"))
            printf '%s\\n' "$list"
            printf '%s\\n' "$list" | sed -n 's/^\\([0-9][0-9]*\\)   .*/\\1/p' | sort -u |
                head -n \(Self.idsMax) | while read -r id; do
                \(nonce.begin("$id"))
                vim-cmd vmsvc/power.getstate "$id" </dev/null 2>&1
            done
            """, nonce, attempting: attempting, limit: limits.list)
        let rows = try rows(sections, attempting)
        var states: [Int: (power: GuestPower?, text: String)] = [:]
        for section in sections.all {
            if let id = Int(section.tag) {
                states[id] = (VimText.power(section.text), section.text)
            }
        }
        var found: [HostGuest] = []
        for row in rows {
            guard let state = states[row.vmid] else {
                throw error(.badAnswer, attempting, "no state for the guest with id \(row.vmid)")
            }
            // A line of a note that looks like a row: its id is nobody's.
            if VimFault(state.text)?.meansGone == true { continue }
            if VimText.saysNotReady(state.text) {
                throw error(.notReady, attempting, Self.shortened(state.text))
            }
            if rows.count(where: { $0.vmid == row.vmid }) > 1 {
                guard try await path(ofID: row.vmid, attempting) == row.vmxPath else { continue }
            }
            found.append(
                HostGuest(name: row.name, vmxPath: row.vmxPath, power: state.power ?? .unknown))
        }
        return found
    }

    /// Asks a guest's Tools to shut it down. Returns at once; success also when it is off.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        let attempting = "shut down guest \(guest.name.onOneLine)"
        let id = try await id(of: guest, attempting)
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("said"))
            vim-cmd vmsvc/power.shutdown \(id) 2>&1
            \(nonce.begin("state"))
            vim-cmd vmsvc/power.getstate \(id) 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        let said = sections.text("said") ?? ""
        // Success prints nothing; any status can come with any of it (facts/esxi.md 1.3).
        if VimText.lines(of: said).isEmpty { return }
        if VimText.power(sections.text("state") ?? "") == .off { return }
        throw failure(said, attempting)
    }

    /// Cuts a guest's power and looks that it is off.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        try await switchPower(
            guest, "power.off", until: .off, within: limits.power,
            "power off guest \(guest.name.onOneLine)")
    }

    /// Writes a guest's memory to disk and looks that it is suspended. Suspended already: success.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        try await switchPower(
            guest, "power.suspend", until: .suspended, within: limits.suspend,
            "suspend guest \(guest.name.onOneLine)")
    }

    /// Starts or resumes a guest and looks that it is on. A pending question is not answered: it
    /// is part of the error.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        try await switchPower(
            guest, "power.on", until: .on, within: limits.power,
            "power on guest \(guest.name.onOneLine)")
    }

    /// What the verb says is only read to explain a state that is not as wanted: `power.on`
    /// reports failure for a guest that is on (facts/esxi.md 0.3). It runs in the background,
    /// since a question blocks it.
    private func switchPower(
        _ guest: BootGuest, _ verb: String, until wanted: GuestPower, within limit: Duration,
        _ attempting: String
    ) async throws(HostError) {
        let id = try await id(of: guest, attempting)
        let nonce = Sections.Nonce()
        let said = ShellWord.quoted("/tmp/\(nonce.text)")
        let words =
            switch wanted {
            case .on: "Powered on"
            case .suspended: "Suspended"
            case .off, .unknown: "Powered off"
            }
        let sections = try await run(
            """
            umask 077
            ( vim-cmd vmsvc/\(verb) \(id) >\(said) 2>&1; echo >\(said).done ) \
            </dev/null >/dev/null 2>&1 &
            turn=0
            question=''
            while :; do
                state=$(vim-cmd vmsvc/power.getstate \(id) 2>&1)
                case $state in *'\(words)'*) break ;; esac
                turn=$((turn + 1))
                [ "$turn" -lt \(limit.components.seconds) ] || break
                [ ! -e \(said).done ] || [ "$turn" -lt \(Self.settleTurns) ] || break
                if [ "$((turn % 10))" -eq 5 ]; then
                    question=$(vim-cmd vmsvc/message \(id) 2>&1)
                    case $question in '\(VimText.questionStart)'*) break ;; esac
                fi
                if [ "$turn" -lt \(Self.slowAfterTurns) ]; then
                    [ "$turn" -lt 4 ] && usleep 250000 2>/dev/null || sleep 1
                else
                    sleep 5
                    turn=$((turn + 4))
                fi
            done
            \(nonce.begin("state"))
            printf '%s\\n' "$state"
            \(nonce.begin("said"))
            cat \(said)
            \(nonce.begin("question"))
            [ -e \(said).done ] || vim-cmd vmsvc/message \(id) 2>&1
            rm -f \(said) \(said).done
            """, nonce, attempting: attempting, limit: limit + limits.command)
        if VimText.power(sections.text("state") ?? "") == wanted { return }
        let question = sections.text("question") ?? ""
        if VimText.lines(of: question).first?.hasPrefix(VimText.questionStart) == true {
            throw error(
                .refused, attempting,
                "the guest asks a question; answer it on the host with "
                    + "`vim-cmd vmsvc/message`: \(Self.shortened(question))")
        }
        let answer = sections.text("said") ?? ""
        if VimFault(answer) == nil, !VimText.saysNotReady(answer) {
            throw error(
                .timedOut, attempting,
                "it is not \(words.lowercased()) after \(limit.short); "
                    + "the host says: \(Self.shortened(answer))")
        }
        throw failure(answer, attempting)
    }

    /// The state follows a verb that has returned within a few seconds.
    static let settleTurns = 5
    /// What takes longer than a minute (a large memory) is looked at every five seconds.
    static let slowAfterTurns = 60
}

extension ESXiHost {
    /// Registers a guest whose own host is gone; success also when it is registered here already.
    /// What the verb says is read only to explain why the guest is not listed then: old releases
    /// say nothing at all (facts/esxi.md 1.5).
    public func register(_ guest: BootGuest) async throws(HostError) {
        let attempting = "register guest \(guest.name.onOneLine)"
        if try await isRegistered(guest, attempting) { return }
        guard let file = VolumePath.absolute(guest.vmxPath) else {
            throw error(.refused, attempting, "\(guest.vmxPath.onOneLine) is in no datastore")
        }
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("said"))
            vim-cmd solo/registervm \(ShellWord.quoted(file)) </dev/null 2>&1
            """, nonce, attempting: attempting, limit: limits.power)
        if try await isRegistered(guest, attempting) { return }
        let said = sections.text("said") ?? ""
        if VimFault(said)?.type == "AlreadyExists" {
            let id = VimText.property("name", in: said) ?? "?"
            throw error(
                .refused, attempting,
                "the host holds it as invalid guest \(id.onOneLine): its datastore was late. Try "
                    + "`vim-cmd vmsvc/reload \(id.onOneLine)` there")
        }
        throw failure(said, attempting)
    }

    private func isRegistered(
        _ guest: BootGuest, _ attempting: String
    ) async throws(HostError) -> Bool {
        do throws(HostError) {
            _ = try await id(of: guest, attempting)
            return true
        } catch {
            guard error.reason == .notFound else { throw error }
            return false
        }
    }
}

/// Where a datastore's files are for the host's own commands.
enum VolumePath {
    /// `/vmfs/volumes/ds/a/a.vmx` for `[ds] a/a.vmx`; nil for what is in no datastore.
    static func absolute(_ path: String) -> String? {
        guard path.hasPrefix("["), let end = path.firstRange(of: "] ") else { return nil }
        let datastore = path[path.index(after: path.startIndex)..<end.lowerBound]
        let file = path[end.upperBound...]
        guard !datastore.isEmpty, !datastore.contains("/"), !file.isEmpty, !file.hasPrefix("/"),
            !file.split(separator: "/").contains("..")
        else { return nil }
        return "/vmfs/volumes/\(datastore)/\(file)"
    }
}

extension ESXiHost {
    /// The id that this guest's configuration file has on the host now.
    ///
    /// The list gives candidates only, since notes are printed raw; the host is asked for each
    /// one's file before anything is done to it.
    func id(of guest: BootGuest, _ attempting: String) async throws(HostError) -> Int {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("list"))
            vim-cmd vmsvc/getallvms
            """, nonce, attempting: attempting, limit: limits.command)
        let rows = try rows(sections, attempting).filter { $0.vmxPath == guest.vmxPath }
        for row in rows where try await path(ofID: row.vmid, attempting) == guest.vmxPath {
            return row.vmid
        }
        throw error(
            .notFound, attempting,
            "\(guest.vmxPath.onOneLine) is not registered on this host, or its "
                + "datastore is not there yet")
    }

    private func rows(_ sections: Sections, _ attempting: String)
        throws(HostError) -> [ListedGuest]
    {
        let text = sections.text("list") ?? ""
        if let list = GuestList(text) { return list.guests }
        // No list at all is what hostd's absence looks like, whatever else is said.
        let silent = VimText.lines(of: text).isEmpty
        let said = Self.shortened(text + "\n" + sections.errors)
        let notReady = silent || VimText.saysNotReady(text + "\n" + sections.errors)
        throw error(notReady ? .notReady : .badAnswer, attempting, "vim-cmd says: \(said)")
    }

    /// The configuration file of the guest with this id, as the host says; nil when it has none.
    private func path(ofID id: Int, _ attempting: String) async throws(HostError) -> String? {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("summary"))
            vim-cmd vmsvc/get.summary \(id) 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        let text = sections.text("summary") ?? ""
        if VimText.saysNotReady(text) {
            throw error(.notReady, attempting, Self.shortened(text))
        }
        return VimText.property("vmPathName", in: text)
    }

    /// The error for a failure in the host's words.
    func failure(_ said: String, _ attempting: String) -> HostError {
        if VimText.saysNotReady(said) { return error(.notReady, attempting, Self.shortened(said)) }
        let fault = VimFault(said)
        let detail = fault.map { fault in
            [fault.type, fault.message].compactMap(\.self).joined(separator: ": ")
        }
        let reason: HostError.Reason
        switch fault?.type {
        case "ToolsUnavailable": reason = .toolsUnavailable
        case "NotFound", "ManagedObjectNotFound": reason = .notFound
        // No type was printed: the one text that is known for it (facts/esxi.md 1.3).
        case nil where said.contains("VMware Tools is not running"): reason = .toolsUnavailable
        default: reason = .refused
        }
        return error(reason, attempting, Self.shortened(detail ?? said))
    }
}

extension VimFault {
    /// Whether there is no guest of this id (any more).
    var meansGone: Bool { type == "NotFound" || type == "ManagedObjectNotFound" }
}
