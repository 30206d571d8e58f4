public import PowerModel
public import PowerRun

extension ESXiHost {
    /// Cuts a guest's power and looks that it is off, for hostd and for the kernel.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        let attempting = "power off guest \(guest.name.onOneLine)"
        let id = try await id(of: guest, attempting)
        try await switchPower(id, "power.off", until: .off, within: limits.power, attempting)
        try await lookForProcess(of: guest, attempting)
    }

    /// Writes a guest's memory to disk and looks that it is suspended. Suspended already: success.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        let attempting = "suspend guest \(guest.name.onOneLine)"
        let id = try await id(of: guest, attempting)
        try await switchPower(
            id, "power.suspend", until: .suspended, within: limits.suspend, attempting)
    }

    /// Starts or resumes a guest and looks that it is on. A pending question is answered as the
    /// site file says; one of which it says nothing is part of the error.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        let attempting = "power on guest \(guest.name.onOneLine)"
        let id = try await id(of: guest, attempting)
        try await switchPower(id, "power.on", until: .on, within: limits.power, attempting)
    }

    /// So many questions of one guest are answered in a row.
    static let answersMax = 4
    /// The state follows a verb that has returned within a few seconds.
    static let settleTurns = 5
    /// What takes longer than a minute (a large memory) is looked at every five seconds.
    static let slowAfterTurns = 60

    private func switchPower(
        _ id: Int, _ verb: String, until wanted: GuestPower, within limit: Duration,
        _ attempting: String
    ) async throws(HostError) {
        var verb: String? = verb
        for _ in 0..<Self.answersMax {
            let look = try await watch(id, verb, until: wanted, within: limit, attempting)
            if VimText.power(look.state) == wanted { return }
            guard let question = QuestionText.question(look.question) else {
                throw await whyNot(look.said, id, until: wanted, within: limit, attempting)
            }
            try await answer(question, of: id, attempting)
            // The verb itself goes on where the question had stopped it.
            verb = nil
        }
        throw askedTooOften(attempting)
    }

    /// What was seen of a guest that was told something.
    private struct Look {
        var state: String
        var said: String
        var question: String
    }

    /// What the verb says is only read to explain a state that is not as wanted: `power.on`
    /// reports failure for a guest that is on (facts/esxi.md 0.3). It runs in the background,
    /// since a question blocks it. Without a verb it only watches.
    private func watch(
        _ id: Int, _ verb: String?, until wanted: GuestPower, within limit: Duration,
        _ attempting: String
    ) async throws(HostError) -> Look {
        let nonce = Sections.Nonce()
        let said = ShellWord.quoted("/tmp/\(nonce.text)")
        let act =
            verb.map { verb in
                "( vim-cmd vmsvc/\(verb) \(id) >\(said) 2>&1; echo >\(said).done ) "
                    + "</dev/null >/dev/null 2>&1 &"
            } ?? ": >\(said)"
        let sections = try await run(
            """
            umask 077
            \(act)
            turn=0
            question=''
            while :; do
                state=$(vim-cmd vmsvc/power.getstate \(id) 2>&1)
                case $state in *'\(wanted.words)'*) break ;; esac
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
        return Look(
            state: sections.text("state") ?? "", said: sections.text("said") ?? "",
            question: sections.text("question") ?? "")
    }

    /// The error for a guest that is not as wanted and does not ask either. Releases that say no
    /// more than `failed` have the reason in the guest's last task.
    private func whyNot(
        _ said: String, _ id: Int, until wanted: GuestPower, within limit: Duration,
        _ attempting: String
    ) async -> HostError {
        let fault = VimFault(said)
        if fault == nil, !VimText.saysNotReady(said) {
            return error(
                .timedOut, attempting,
                "it is not \(wanted.words.lowercased()) after \(limit.short); "
                    + "the host says: \(Self.shortened(said))")
        }
        guard let fault, fault.type == nil else { return failure(said, attempting) }
        do throws(HostError) {
            guard let reason = try await lastTask(of: id, attempting)?.fault else {
                return failure(said, attempting)
            }
            return failure(reason, said, attempting)
        } catch {
            // What the verb said is known at least.
            return failure(said, attempting)
        }
    }

    /// The newest of a guest's tasks; nil when there is none, or it cannot be understood.
    private func lastTask(
        of id: Int, _ attempting: String
    ) async throws(HostError) -> HostTask? {
        let list = try await text("vim-cmd vmsvc/get.tasklist \(id) 2>&1", attempting)
        guard let name = HostTask.names(list)?.last else { return nil }
        return HostTask(
            try await text(
                "vim-cmd vimsvc/task_info \(ShellWord.quoted(name)) </dev/null 2>&1", attempting))
    }

    /// What one command prints.
    private func text(_ command: String, _ attempting: String) async throws(HostError) -> String {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("said"))
            \(command)
            """, nonce, attempting: attempting, limit: limits.command)
        return sections.text("said") ?? ""
    }

    // MARK: Questions

    /// Answers as the site file says; a question of which it says nothing is an error.
    func answer(
        _ question: GuestQuestion, of id: Int, _ attempting: String
    ) async throws(HostError) {
        guard let choice = QuestionAnswer.choice(for: question, by: answers) else {
            throw error(.refused, attempting, Self.words(for: question, of: id))
        }
        _ = try await text(
            "vim-cmd vmsvc/message \(id) \(ShellWord.quoted(question.id)) "
                + "\(ShellWord.quoted(choice.key)) </dev/null 2>&1", attempting)
    }

    func askedTooOften(_ attempting: String) -> HostError {
        error(
            .refused, attempting, "after \(Self.answersMax.counted("answer")) it asks once more")
    }

    /// The question as a person can answer it on the host.
    private static func words(for question: GuestQuestion, of id: Int) -> String {
        let choices = question.choices.map { "\($0.key) \($0.label.onOneLine)" }
        return "it waits for an answer: \(question.text.onOneLine(atMost: saidLengthMax)) Choose "
            + "on the host with `vim-cmd vmsvc/message \(id) \(question.id) N`, N one of: "
            + choices.joined(separator: ", ")
    }
}

extension ESXiHost {
    /// So often is looked whether a process ends: hostd is a little ahead of the kernel.
    static let processTurns = 5

    /// A second look at a guest that hostd says is off: with its process still there (storage that
    /// does not answer) its files are locked, and the host does not shut down.
    private func lookForProcess(
        of guest: BootGuest, _ attempting: String
    ) async throws(HostError) {
        guard let file = VolumePath.parts(guest.vmxPath) else { return }
        for turn in 1...Self.processTurns {
            let wait = turn > 1 ? "sleep 1" : ":"
            let list = try await text(
                "\(EsxcliText.ask)\n\(wait)\nvpower_esxcli vm process list", attempting)
            // A release that shows no processes proves nothing against hostd's word.
            let alike = (GuestProcess.list(list) ?? []).filter { process in
                process.file?.hasSuffix("/\(file.path)") ?? false
            }
            if alike.isEmpty { return }
            // The kernel knows a volume by its UUID.
            let volumes = try await text(
                "\(EsxcliText.ask)\nvpower_esxcli storage filesystem list", attempting)
            let places =
                (HostVolume.list(volumes) ?? []).filter { $0.name == file.datastore }.map(\.uuid)
                + [file.datastore]
            let files = places.map { "/vmfs/volumes/\($0)/\(file.path)" }
            let process = alike.first { files.contains($0.file ?? "") }
            guard let process else { return }
            guard turn == Self.processTurns else { continue }
            throw error(
                .refused, attempting,
                "hostd says that it is off, but its process is there: on the host, "
                    + "`esxcli vm process kill --type=force --world-id=\(process.world)`")
        }
    }
}

extension GuestPower {
    /// As `power.getstate` says it.
    fileprivate var words: String {
        switch self {
        case .on: "Powered on"
        case .suspended: "Suspended"
        case .off, .unknown: "Powered off"
        }
    }
}
