public import PowerModel
public import PowerRun
import Templates
import Transport

extension ESXiHost {
    private static let path = BootScript.localShPath
    /// The sum of what auto-backup.sh was last seen to save. In memory: a reboot removes it, and
    /// what is there then is what was saved.
    private static let savedSumPath = "/tmp/vpower-localsh.saved"

    /// Installs the boot script with these orders, saves it with auto-backup.sh, reads it back.
    ///
    /// Nothing is written where the file is as wanted already; and nothing is saved either where
    /// vpower has seen it saved so, since only what was saved survives a power cut.
    ///
    /// - Throws: `secureBoot` when that is on, since local.sh does not run then;
    ///   `notAsWritten` when what was read back differs at any step.
    public func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        let attempting = "install the boot script"
        guard let existing = try await readLocalSh(attempting, forBoot: true) else {
            throw noLocalSh(attempting)
        }
        keep(host, existing.foreign)
        let probe = try await probe(orders.vcenter, attempting)
        let wanted = BootScript.install(
            block: try Self.script(orders, probe: probe), into: existing.text)
        let unchanged = wanted == existing.text
        if unchanged, existing.isSaved == true {
            return BootScriptInstall(sha256: existing.sha256, drift: [], unchanged: true)
        }
        if !unchanged { try await writeLocalSh(wanted, attempting) }
        let drift = try await save(attempting)
        return BootScriptInstall(
            sha256: try await verify(wanted, attempting), drift: drift, unchanged: unchanged)
    }

    /// The host's local.sh as it is now. Changes nothing.
    public func localSh() async throws(HostError) -> LocalSh {
        let attempting = "read local.sh"
        guard let existing = try await readLocalSh(attempting, forBoot: false) else {
            throw noLocalSh(attempting)
        }
        return existing
    }

    private func noLocalSh(_ attempting: String) -> HostError {
        error(
            .refused, attempting,
            "\(Self.path) is missing; ESXi ships it, and a new one would "
                + "not be saved. Copy it from another host of the same release")
    }

    /// The managed block that these orders become, with its markers.
    /// - Throws: `refused` when a value cannot be written into a script.
    public static func script(_ orders: BootOrders) throws(HostError) -> String {
        try script(orders, probe: nil)
    }

    static func script(
        _ orders: BootOrders, probe: BootScriptProbe?
    ) throws(HostError) -> String {
        do { return try BootScript.block(BootScriptValues(orders, probe: probe)) } catch {
            throw HostError(
                host: orders.host, attempting: "render the boot script", reason: .refused,
                detail: error.detail)
        }
    }

    /// Takes the boot script out again and saves; success also when there was none. One that has
    /// something to do at every boot stays, and is not armed.
    public func disarm() async throws(HostError) {
        try await rewrite("disarm the boot script", BootScript.disarm)
    }

    /// Takes the boot script out, whatever it is there for, and saves.
    public func removeBootScript() async throws(HostError) {
        try await rewrite("take the boot script out", BootScript.remove)
    }

    /// It saves in any case: an earlier try may have ended between the two.
    private func rewrite(
        _ attempting: String, _ change: (String) -> String
    ) async throws(HostError) {
        guard let existing = try await readLocalSh(attempting, forBoot: false) else { return }
        let wanted = change(existing.text)
        if wanted != existing.text { try await writeLocalSh(wanted, attempting) }
        _ = try await save(attempting)
        _ = try await verify(wanted, attempting)
    }

    /// What the boot script of this run says of its work since the host booted.
    public func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        let attempting = "read the boot script's report"
        guard let report = try await readReport(attempting), report.run == run.rawValue else {
            return .none
        }
        switch report.state {
        case .running: return .running
        case .calledOff: return .calledOff
        case .done where report.mode == .expired: return .expired
        case .done: return .done(failed: try await named(report.failed))
        }
    }
}

extension ESXiHost {
    /// The whole of local.sh; nil when there is none. Its sum is computed at the host and compared
    /// here, so that a part of it is never taken for all.
    func readLocalSh(_ attempting: String, forBoot: Bool)
        async throws(HostError) -> LocalSh?
    {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(EsxcliText.ask)
            \(Self.secureBootScript(nonce))
            \(nonce.begin("mode"))
            [ ! -f \(Self.path) ] || echo file
            [ ! -x \(Self.path) ] || echo executable
            \(nonce.begin("sum"))
            sha256sum <\(Self.path)
            \(nonce.begin("saved"))
            cat \(Self.savedSumPath) 2>/dev/null
            \(nonce.begin("cron"))
            cat /var/spool/cron/crontabs/root 2>/dev/null
            \(nonce.begin("text"))
            cat \(Self.path)
            """, nonce, attempting: attempting, limit: limits.command)
        let mode = VimText.lines(of: sections.text("mode") ?? "")
        guard mode.contains("file") else { return nil }
        if forBoot {
            let secureBoot = SecureBoot(
                sections.text("secureboot") ?? "", settings: sections.text("encryption") ?? "")
            guard secureBoot != .enabled else {
                throw error(
                    .secureBoot, attempting,
                    "UEFI Secure Boot is on, and ESXi does not run local.sh then. Switch it off, "
                        + "or see `boot` in the site file")
            }
            guard mode.contains("executable") else {
                throw error(
                    .refused, attempting,
                    "\(Self.path) is not executable, so ESXi does "
                        + "not run it: chmod 755 \(Self.path)")
            }
        }
        let text = sections.text("text") ?? ""
        let sum = SHA256.hexadecimal(Array(text.utf8))
        guard Self.sum(sections) == sum else {
            throw error(
                .badAnswer, attempting,
                "\(Self.path) did not arrive as it is, or is not "
                    + "UTF-8 text: nothing was changed")
        }
        return LocalSh(
            text: text, sha256: sum, isSaved: Self.sum(sections, "saved").map { $0 == sum },
            savesAtMinute: Crontab.savesAtMinute(sections.text("cron") ?? ""))
    }

    /// Uploads beside, compares, copies in place, compares. In place, since only the file itself
    /// is tracked by ESXi's backup; a file renamed over it is not (facts/esxi.md 2.1).
    private func writeLocalSh(_ text: String, _ attempting: String) async throws(HostError) {
        let bytes = Array(text.utf8)
        let wanted = SHA256.hexadecimal(bytes)
        let nonce = Sections.Nonce()
        let beside = ShellWord.quoted("/tmp/vpower-localsh.\(nonce.text)")
        let sections = try await run(
            """
            umask 077
            \(nonce.begin("said"))
            cat >\(beside) 2>&1
            \(nonce.begin("uploaded"))
            sha256sum <\(beside)
            if [ "$(sha256sum <\(beside))" = '\(wanted)  -' ]; then
                \(nonce.begin("said"))
                rm -f \(Self.savedSumPath)
                cat \(beside) >\(Self.path)
                \(nonce.begin("sum"))
                sha256sum <\(Self.path)
            fi
            rm -f \(beside)
            """, nonce, attempting: attempting, input: bytes, limit: limits.command)
        guard Self.sum(sections, "uploaded") == wanted else {
            throw error(
                .notAsWritten, attempting,
                "the upload to /tmp is not what was sent; is "
                    + "/tmp full? local.sh was not touched")
        }
        guard Self.sum(sections) == wanted else {
            throw error(
                .notAsWritten, attempting,
                "\(Self.path) is not what was written; look at "
                    + "it on the host")
        }
    }

    /// Saves with auto-backup.sh; its lines about differences.
    private func save(_ attempting: String) async throws(HostError) -> [String] {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            vpower_sum=$(sha256sum <\(Self.path))
            \(nonce.begin("said"))
            for save in /sbin/auto-backup.sh /bin/auto-backup.sh; do
                [ -x "$save" ] || continue
                "$save" 2>&1
                status=$?
                break
            done
            \(nonce.begin("status"))
            echo "${status:-none}"
            [ "$status" != 0 ] || printf '%s\\n' "$vpower_sum" >\(Self.savedSumPath)
            """, nonce, attempting: attempting, limit: limits.save)
        let said = sections.text("said") ?? ""
        guard VimText.lines(of: sections.text("status") ?? "") == ["0"] else {
            throw error(
                .refused, attempting,
                "local.sh is written, but auto-backup.sh failed, so "
                    + "a power cut would lose it: \(Self.shortened(said))")
        }
        return AutoBackup.drift(said)
    }

    /// Reads local.sh back; its sum if it is as wanted.
    private func verify(_ wanted: String, _ attempting: String) async throws(HostError) -> String {
        let now = try await readLocalSh(attempting, forBoot: false)
        guard let now, now.text == wanted else {
            throw error(.notAsWritten, attempting, "\(Self.path) was changed while it was saved")
        }
        return now.sha256
    }

    private static func sum(_ sections: Sections, _ tag: String = "sum") -> String? {
        sections.text(tag)?.split { $0 == " " || $0 == "\n" }.first.map(String.init)
    }
}

extension BootScriptValues {
    /// Orders in the words of the template; fractions of seconds are dropped. A wait after one
    /// guest that is too long is cut: it is no reason to leave a host without its script.
    init(_ orders: BootOrders, probe: BootScriptProbe?) {
        func guest(_ guest: BootGuest) -> BootScriptGuest {
            BootScriptGuest(
                name: guest.name, vmxPath: guest.vmxPath,
                thenWaitSeconds: min(
                    max(0, Int(guest.thenWait.components.seconds)),
                    BootScriptGuest.thenWaitLimitSeconds))
        }
        self.init(
            host: orders.host.rawValue, runID: orders.run.rawValue,
            armedEpochSeconds: Int(orders.armed.millisecondsSinceEpoch / 1000),
            expiresEpochSeconds: Int(orders.expires.millisecondsSinceEpoch / 1000),
            leaveMaintenance: orders.leaveMaintenance,
            infrastructure: orders.infrastructure.map(guest), vcsa: orders.vcsa.map(guest),
            waitsForVCSA: orders.waitsForVCSA, probe: probe,
            tiers: orders.tiers.map { $0.map(guest) },
            settleSeconds: Int(orders.settle.components.seconds),
            startGapSeconds: Int(orders.startGap.components.seconds),
            afterVCSASeconds: Int(orders.afterVCSA.components.seconds))
        isArmed = orders.isArmed
        standing = orders.standing.map(guest)
        extras = orders.extras.map(BootScriptExtra.init)
    }
}
