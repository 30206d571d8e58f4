/// The commands of a simulated host: from words to what is printed.
struct LabESXiCommands: Sendable {
    let host: String
    let backend: any LabHostBackend
    let options: LabHostOptions

    private let tasks = LabHostTasks()

    typealias Reply = LabHostMeeting.Reply

    init(host: String, backend: any LabHostBackend, options: LabHostOptions) {
        self.host = host
        self.backend = backend
        self.options = options
    }

    /// How long power.on blocks on a question that nobody answers: longer than any caller waits.
    static let questionLimit = Duration.seconds(600)
    /// How often is looked whether somebody has.
    static let questionLook = Duration.milliseconds(100)

    /// Runs one command. `poweroff` and what ends the host is the host's own business.
    func run(_ words: [String]) async -> Reply {
        let arguments = Array(words.dropFirst())
        switch words.first {
        case "vim-cmd": return await vimCmd(arguments)
        case "esxcli": return await esxcli(arguments)
        case "secureBoot.py" where !options.hasSecureBootScript:
            return Reply(errors: "sh: secureBoot.py: not found\n", status: 127)
        case "secureBoot.py":
            return arguments == ["-s"]
                ? Reply(output: options.secureBoot ? "Enabled\n" : "Disabled\n")
                : Reply(errors: "usage: secureBoot.py [-h] [-s] [-c]\n", status: 2)
        case "esxcfg-advcfg": return await advancedSetting(arguments)
        case "python": return await python(arguments)
        case "vmware-fdm": return await haAgent(arguments)
        default:
            return Reply(errors: "sh: \(words.first ?? ""): not found\n", status: 127)
        }
    }

    /// The service script of HA's agent; its texts are those of ESXi's other scripts.
    private func haAgent(_ words: [String]) async -> Reply {
        switch words {
        case ["status"]:
            return await backend.runsHAAgent(host)
                ? Reply(output: "vmware-fdm is running.\n")
                : Reply(output: "vmware-fdm is not running.\n", status: 3)
        case ["start"], ["stop"]:
            await backend.setHAAgent(host, runs: words == ["start"])
            return Reply()
        default:
            return Reply(output: "Usage: vmware-fdm {start|stop|restart|status}\n", status: 1)
        }
    }

    // MARK: - vim-cmd

    private func vimCmd(_ words: [String]) async -> Reply {
        guard await backend.hostdReady(host) else {
            return Reply(errors: "Failed to login: Connection reset by peer\n", status: 1)
        }
        switch words.first {
        case "hostsvc/datastore/listsummary" where words.count == 1:
            return Reply(
                output: LabESXiOutput.datastores(await backend.datastores(on: host)))
        case "hostsvc/autostartmanager/get_autostartseq" where words.count == 1:
            return Reply(output: LabESXiOutput.autostart(options.autostartIDs))
        case "hostsvc/autostartmanager/get_defaults" where words.count == 1:
            return Reply(
                output: LabESXiOutput.autostartDefaults(isOn: !options.autostartIDs.isEmpty))
        case "vimsvc/task_info" where words.count == 2:
            return Reply(
                output: tasks.information(words[1])
                    ?? LabESXiOutput.managedObjectNotFound(words[1]))
        case "vmsvc/getallvms" where words.count == 1:
            let guests = await backend.guests(on: host)
            return Reply(
                output: LabESXiOutput.allGuests(guests),
                errors: LabESXiOutput.invalidGuests(guests))
        case "hostsvc/runtimeinfo" where words.count == 1:
            let maintenance = await backend.inMaintenance(host)
            return Reply(output: LabESXiOutput.runtimeInformation(inMaintenance: maintenance))
        case "hostsvc/maintenance_mode_enter": return await changeMaintenance(true)
        case "hostsvc/maintenance_mode_exit": return await changeMaintenance(false)
        case "solo/registervm" where words.count == 2: return await register(words[1])
        case .some(let verb) where verb.hasPrefix("vmsvc/") && words.count >= 2:
            return await guestVerb(String(verb.dropFirst("vmsvc/".count)), Array(words.dropFirst()))
        default:
            return Reply(output: "Invalid command '\(words.first ?? "")'.\n", status: 1)
        }
    }

    private func guestVerb(_ verb: String, _ words: [String]) async -> Reply {
        let vmid = words[0]
        let found = await backend.guests(on: host).first { String($0.vmid) == vmid }
        guard let guest = found, !guest.invalid else {
            return Reply(output: LabESXiOutput.notFound(vmid), status: options.failureStatus)
        }
        switch verb {
        case "power.getstate": return Reply(output: LabESXiOutput.powerState(guest.power))
        case "power.shutdown": return await power(.shutdown, guest)
        case "power.off": return await power(.off, guest)
        case "power.on": return await power(.on, guest)
        case "power.suspend": return await power(.suspend, guest)
        case "get.guest": return Reply(output: LabESXiOutput.guestInformation(guest))
        case "get.summary": return Reply(output: LabESXiOutput.summary(guest))
        case "get.tasklist": return Reply(output: tasks.list(of: guest.vmid))
        case "message" where words.count == 3:
            let isTaken = await backend.answer(
                vmid: guest.vmid, on: host, question: words[1], choice: words[2])
            return isTaken
                ? Reply()
                : Reply(output: LabESXiOutput.notFound(vmid), status: options.failureStatus)
        case "message": return Reply(output: LabESXiOutput.message(guest))
        default: return Reply(output: "Invalid command 'vmsvc/\(verb)'.\n", status: 1)
        }
    }

    /// Takes the path that vim-cmd's own usage names, and a datastore's.
    private func register(_ path: String) async -> Reply {
        let root = "/vmfs/volumes/"
        var vmxPath = path
        if path.hasPrefix(root) {
            let parts = path.dropFirst(root.count).split(separator: "/", maxSplits: 1)
            let volumes = await backend.datastores(on: host)
            guard parts.count == 2,
                let volume = volumes.first(where: {
                    $0.mounted && ($0.name == parts[0] || $0.uuid == parts[0])
                })
            else {
                return Reply(
                    output: LabESXiOutput.registerFailure(.notFound), status: options.failureStatus)
            }
            vmxPath = "[\(volume.name)] \(parts[1])"
        }
        let answer = await backend.register(vmxPath, on: host)
        if case .done(let vmid) = answer { return Reply(output: "\(vmid)\n") }
        return Reply(
            output: LabESXiOutput.registerFailure(answer), status: options.failureStatus)
    }

    private func power(_ verb: LabPowerVerb, _ guest: LabHostGuest) async -> Reply {
        if verb == .on, await backend.inMaintenance(host) {
            let reason = "The operation is not allowed in the current state of the host."
            return failure(verb, .failed(reason))
        }
        let answer = await backend.power(verb, vmid: guest.vmid, on: host)
        switch answer {
        case .done:
            return Reply(output: LabESXiOutput.powerStart(verb))
        case .notFound:
            return Reply(
                output: LabESXiOutput.notFound(String(guest.vmid)), status: options.failureStatus)
        case .question where verb == .shutdown: return failure(verb, answer)
        case .question: return await wait(verb, guest)
        case .wrongState, .toolsUnavailable, .failed:
            tasks.note(verb, answer, vmid: guest.vmid)
            return failure(verb, answer)
        }
    }

    /// The verb goes on when its question is answered, and blocks until then.
    private func wait(_ verb: LabPowerVerb, _ guest: LabHostGuest) async -> Reply {
        let clock = ContinuousClock()
        let deadline = clock.now + Self.questionLimit
        while clock.now < deadline {
            // Cancelled when the host goes down: nobody is left to read the reply.
            do { try await Task.sleep(for: Self.questionLook) } catch { break }
            let asks = await backend.guests(on: host).first { $0.vmid == guest.vmid }?.hasQuestion
            if asks == false { return await power(verb, guest) }
        }
        return failure(verb, .question)
    }

    private func failure(_ verb: LabPowerVerb, _ answer: LabPowerAnswer) -> Reply {
        Reply(
            output: LabESXiOutput.powerFailure(verb, answer, as: options.failureText),
            status: options.failureStatus)
    }

    /// vim-cmd names a task and returns; the lab takes its time only for entering.
    private func changeMaintenance(_ on: Bool) async -> Reply {
        let verb = on ? "enterMaintenanceMode" : "exitMaintenanceMode"
        let task = Reply(output: "'vim.Task:haTask-ha-host-vim.HostSystem.\(verb)-2826'\n")
        if on {
            let (backend, host) = (backend, host)
            Task { await backend.setMaintenance(host, on: true, limitSeconds: 0) }
        } else {
            _ = await backend.setMaintenance(host, on: false, limitSeconds: 0)
        }
        return task
    }

    // MARK: - esxcli

    private func esxcli(_ words: [String]) async -> Reply {
        guard await backend.hostdReady(host) else {
            return Reply(output: "Connect to localhost failed: Connection failure\n", status: 1)
        }
        let wantsJSON = words.first == "--formatter=json"
        let words = wantsJSON ? Array(words.dropFirst()) : words
        if wantsJSON, !options.esxcliHasJSON {
            return Reply(errors: "Error: Unknown formatter json\n", status: 1)
        }
        if let page = await page(words) {
            return Reply(output: wantsJSON ? page.json : page.text)
        }
        switch words.prefix(3).joined(separator: " ") {
        case "system maintenanceMode get":
            let mode = await backend.inMaintenance(host) ? "Enabled" : "Disabled"
            return Reply(output: wantsJSON ? "\"\(mode)\"\n" : "\(mode)\n")
        case "system maintenanceMode set":
            return await setMaintenance(Array(words.dropFirst(3)))
        case "storage core adapter" where words.dropFirst(3) == ["rescan", "--all"]:
            await backend.rescanStorage(host)
            return Reply()
        default:
            return Reply(
                output:
                    "Error: Unknown command or namespace \(words.joined(separator: " "))\n\n",
                status: 1)
        }
    }

    private func setMaintenance(_ words: [String]) async -> Reply {
        let flags = Self.flags(words)
        guard let wanted = flags["-e"] ?? flags["--enable"], ["true", "false"].contains(wanted)
        else { return Reply(output: "Error: Missing required parameter -e|--enable\n", status: 1) }
        let on = wanted == "true"
        guard await backend.inMaintenance(host) != on else {
            let state = on ? "enabled" : "disabled"
            return Reply(output: "Maintenance mode is already \(state).\n", status: 1)
        }
        // Without it vSAN first copies what the host stores, for which nobody has the time.
        if on, await backend.vsanMembership(host) != nil,
            (flags["-m"] ?? flags["--vsanmode"]) != "noAction"
        {
            return Reply(output: "Error: The operation timed out.\n", status: 1)
        }
        let limit = (flags["-t"] ?? flags["--timeout"]).flatMap { Int($0) } ?? 0
        guard await backend.setMaintenance(host, on: on, limitSeconds: limit) else {
            return Reply(output: "Error: The operation timed out.\n", status: 1)
        }
        return Reply()
    }

    /// Whether `esxcli system shutdown poweroff` is allowed now; nil when it is.
    func refusalOfShutdown(_ words: [String]) async -> Reply? {
        guard await backend.hostdReady(host) else {
            return Reply(output: "Connect to localhost failed: Connection failure\n", status: 1)
        }
        let flags = Self.flags(words)
        guard let reason = flags["-r"] ?? flags["--reason"], !reason.isEmpty else {
            return Reply(output: "Error: Missing required parameter -r|--reason\n", status: 1)
        }
        if let delay = flags["-d"] ?? flags["--delay"], (Int(delay) ?? 0) < 10 {
            return Reply(output: "Error: Invalid delay: at least 10 seconds\n", status: 1)
        }
        guard await backend.inMaintenance(host) else {
            return Reply(
                output: "System is not in maintenance mode. Cannot shut down or reboot.\n",
                status: 1)
        }
        return nil
    }

    /// `-e true --timeout=60` as a table.
    private static func flags(_ words: [String]) -> [String: String] {
        var flags: [String: String] = [:]
        var rest = words[...]
        while let word = rest.popFirst() {
            if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
                flags[String(word[..<equals])] = String(word[word.index(after: equals)...])
            } else if word.hasPrefix("-") {
                flags[word] = rest.popFirst() ?? ""
            }
        }
        return flags
    }
}
