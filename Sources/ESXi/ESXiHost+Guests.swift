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

    /// Asks a guest's Tools to shut it down. Returns at once; success also when it is off. A
    /// question that stands in the way is answered as the site file says, or part of the error.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        let attempting = "shut down guest \(guest.name.onOneLine)"
        let id = try await id(of: guest, attempting)
        for _ in 0..<Self.answersMax {
            guard let question = try await askTools(id, attempting) else { return }
            try await answer(question, of: id, attempting)
        }
        throw askedTooOften(attempting)
    }

    /// Gives the question that the guest waits with, where it has one and is not shut down.
    private func askTools(
        _ id: Int, _ attempting: String
    ) async throws(HostError) -> GuestQuestion? {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            said=$(vim-cmd vmsvc/power.shutdown \(id) 2>&1)
            \(nonce.begin("said"))
            printf '%s\\n' "$said"
            \(nonce.begin("state"))
            vim-cmd vmsvc/power.getstate \(id) 2>&1
            \(nonce.begin("tools"))
            [ -z "$said" ] || vim-cmd vmsvc/get.guest \(id) 2>&1
            \(nonce.begin("question"))
            [ -z "$said" ] || vim-cmd vmsvc/message \(id) </dev/null 2>&1
            """, nonce, attempting: attempting, limit: limits.command)
        let said = sections.text("said") ?? ""
        // Success prints nothing; any status can come with any of it (facts/esxi.md 1.3).
        if VimText.lines(of: said).isEmpty { return nil }
        if VimText.power(sections.text("state") ?? "") == .off { return nil }
        if let question = QuestionText.question(sections.text("question") ?? "") {
            return question
        }
        // Some releases give no reason (facts/esxi.md 1.3): this is the usual one.
        if VimFault(said)?.type == nil, VimText.power(sections.text("state") ?? "") == .on,
            ToolsText.run(sections.text("tools") ?? "") == false
        {
            throw error(
                .toolsUnavailable, attempting,
                "its Tools do not run; the host says: \(Self.shortened(said))")
        }
        throw failure(said, attempting)
    }
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
        parts(path).map { "/vmfs/volumes/\($0.datastore)/\($0.path)" }
    }

    /// `ds` and `a/a.vmx` of `[ds] a/a.vmx`; nil for what is in no datastore.
    static func parts(_ path: String) -> (datastore: String, path: String)? {
        guard path.hasPrefix("["), let end = path.firstRange(of: "] ") else { return nil }
        let datastore = path[path.index(after: path.startIndex)..<end.lowerBound]
        let file = path[end.upperBound...]
        guard !datastore.isEmpty, !datastore.contains("/"), !file.isEmpty, !file.hasPrefix("/"),
            !file.split(separator: "/").contains("..")
        else { return nil }
        return (String(datastore), String(file))
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
        return failure(VimFault(said), said, attempting)
    }

    /// The error for this failure; without one, for what was said.
    func failure(_ fault: VimFault?, _ said: String, _ attempting: String) -> HostError {
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
