public import PowerModel
public import PowerRun
import Templates
import Transport

extension ESXiHost {
    private static let path = BootScript.localShPath

    /// Installs the boot script with these orders, saves it with auto-backup.sh, reads it back.
    ///
    /// Nothing is written where the file is as wanted already; it is saved again all the same,
    /// since only what was saved survives a power cut.
    ///
    /// - Throws: `secureBoot` when that is on, since local.sh does not run then;
    ///   `notAsWritten` when what was read back differs at any step.
    public func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        let attempting = "install the boot script"
        guard let existing = try await readLocalSh(attempting, forBoot: true) else {
            throw error(
                .refused, attempting,
                "\(Self.path) is missing; ESXi ships it, and a new one would "
                    + "not be saved. Copy it from another host of the same release")
        }
        let wanted = try wanted(orders, into: existing, attempting)
        let unchanged = wanted == existing
        if !unchanged { try await writeLocalSh(wanted, attempting) }
        let drift = try await save(attempting)
        return BootScriptInstall(
            sha256: try await verify(wanted, attempting), drift: drift, unchanged: unchanged)
    }

    /// The managed block that these orders become, with its markers.
    /// - Throws: `refused` when a value cannot be written into a script.
    public static func script(_ orders: BootOrders) throws(HostError) -> String {
        do { return try BootScript.block(BootScriptValues(orders)) } catch {
            throw HostError(
                host: orders.host, attempting: "render the boot script", reason: .refused,
                detail: error.detail)
        }
    }

    /// Takes the boot script out again and saves; success also when there was none. It saves in any
    /// case: an earlier try may have ended between the two.
    public func disarm() async throws(HostError) {
        let attempting = "take the boot script out"
        guard let existing = try await readLocalSh(attempting, forBoot: false) else { return }
        let wanted = BootScript.remove(from: existing)
        if wanted != existing { try await writeLocalSh(wanted, attempting) }
        _ = try await save(attempting)
        _ = try await verify(wanted, attempting)
    }

    /// What the boot script of this run says of its work since the host booted.
    public func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        let attempting = "read the boot script's report"
        let nonce = Sections.Nonce()
        let sections = try await self.run(
            """
            \(nonce.begin("report"))
            [ ! -e \(BootScript.reportPath) ] || cat \(BootScript.reportPath)
            """, nonce, attempting: attempting, limit: limits.command)
        let text = sections.text("report") ?? ""
        if text.isEmpty { return .none }
        let report: BootScriptReport
        do throws(TemplateError) {
            report = try BootScriptReport.parse(text)
        } catch {
            throw self.error(.badAnswer, attempting, error.detail)
        }
        guard report.run == run.rawValue else { return .none }
        switch report.state {
        case .running: return .running
        case .expired: return .expired
        case .done where report.failed.isEmpty: return .done(failed: [])
        case .done:
            // The report names files. Who is no longer listed keeps the file's name.
            let listed = try await guests()
            return .done(
                failed: report.failed.map { path in
                    listed.first { $0.vmxPath == path }?.name ?? path
                })
        }
    }
}

extension ESXiHost {
    /// local.sh with the block in it.
    private func wanted(_ orders: BootOrders, into existing: String, _ attempting: String)
        throws(HostError) -> String
    {
        BootScript.install(block: try Self.script(orders), into: existing)
    }

    /// The whole of local.sh; nil when there is none. Its sum is computed at the host and compared
    /// here, so that a part of it is never taken for all.
    private func readLocalSh(_ attempting: String, forBoot: Bool)
        async throws(HostError) -> String?
    {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("secureboot"))
            /usr/lib/vmware/secureboot/bin/secureBoot.py -s 2>/dev/null
            \(nonce.begin("mode"))
            [ ! -f \(Self.path) ] || echo file
            [ ! -x \(Self.path) ] || echo executable
            \(nonce.begin("sum"))
            sha256sum <\(Self.path)
            \(nonce.begin("text"))
            cat \(Self.path)
            """, nonce, attempting: attempting, limit: limits.command)
        let mode = VimText.lines(of: sections.text("mode") ?? "")
        guard mode.contains("file") else { return nil }
        if forBoot {
            guard SecureBoot(sections.text("secureboot") ?? "") != .enabled else {
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
        guard Self.sum(sections) == SHA256.hexadecimal(Array(text.utf8)) else {
            throw error(
                .badAnswer, attempting,
                "\(Self.path) did not arrive as it is, or is not "
                    + "UTF-8 text: nothing was changed")
        }
        return text
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
            \(nonce.begin("said"))
            for save in /sbin/auto-backup.sh /bin/auto-backup.sh; do
                [ -x "$save" ] || continue
                "$save" 2>&1
                status=$?
                break
            done
            \(nonce.begin("status"))
            echo "${status:-none}"
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
        let text = try await readLocalSh(attempting, forBoot: false)
        guard let text, text == wanted else {
            throw error(.notAsWritten, attempting, "\(Self.path) was changed while it was saved")
        }
        return SHA256.hexadecimal(Array(text.utf8))
    }

    private static func sum(_ sections: Sections, _ tag: String = "sum") -> String? {
        sections.text(tag)?.split(separator: " ").first.map(String.init)
    }
}

extension BootScriptValues {
    /// Orders in the words of the template; fractions of seconds are dropped. A wait after one
    /// guest that is too long is cut: it is no reason to leave a host without its script.
    init(_ orders: BootOrders) {
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
            waitsForVCSA: orders.waitsForVCSA, tiers: orders.tiers.map { $0.map(guest) },
            startGapSeconds: Int(orders.startGap.components.seconds),
            afterVCSASeconds: Int(orders.afterVCSA.components.seconds))
    }
}
