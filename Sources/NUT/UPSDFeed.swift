import NIOCore
public import PowerModel
public import PowerRun

/// One UPS, read from its upsd over TCP (facts/nut.md section 1; RFC 9271 with NUT's own names).
///
/// Keeps one connection for reading and, while a login is held, one for that: upsd allows one
/// LOGIN per connection. Both are opened when needed and again when they broke.
public actor UPSDFeed: FeedControl {
    /// The feed.
    public nonisolated let feed: FeedName
    /// The limits of every wait here.
    public nonisolated let limits: UPSDLimits

    let site: Feed
    private let password: Secret?
    private nonisolated let counter = UPSDTrafficCounter()

    private var reader: UPSDLink?
    private var opening: Task<Result<UPSDLink, UPSDFault>, Never>?
    private var lastAddress: SocketAddress?

    private var wantsLogin = false
    private var login: UPSDLink?
    private var keeper: Task<Void, Never>?

    /// A feed as the site file describes it. Nothing is opened yet. `password` is the value of
    /// `feed.password`; without a user and a password the feed can only be read.
    public init(feed: Feed, password: Secret?, limits: UPSDLimits = UPSDLimits()) {
        self.feed = feed.name
        self.site = feed
        self.password = password
        self.limits = limits
    }

    deinit { keeper?.cancel() }

    /// What went over the wire so far, over all connections.
    public nonisolated var traffic: UPSDTraffic { counter.now }

    // MARK: Reading

    /// Looks at the UPS now, within `limits.read`: `ups.status`, then runtime, charge and load
    /// where the UPS has them. What keeps the status from being read is said in `problem`.
    public func read() async -> FeedReading {
        let deadline = NIODeadline.now() + TimeAmount(limits.read)
        do throws(FeedError) {
            let status = UPSStatus(try await value(of: "ups.status", until: deadline))
            guard !status.tokens.isEmpty else {
                return FeedReading(status: nil, problem: "feed \(feed): ups.status is empty")
            }
            var reading = FeedReading(status: status)
            if let text = await extra("battery.runtime", until: deadline) {
                reading.runtime = UPSDNumber.runtime(text)
            }
            if let text = await extra("battery.charge", until: deadline) {
                reading.chargePercent = UPSDNumber.percent(
                    text, limit: UPSDNumber.chargeMaxPercent)
            }
            if let text = await extra("ups.load", until: deadline) {
                reading.loadPercent = UPSDNumber.percent(text, limit: UPSDNumber.loadMaxPercent)
            }
            return reading
        } catch {
            return FeedReading(status: nil, problem: error.description)
        }
    }

    /// A variable that may be missing. Whatever keeps it from being read, the status that was
    /// read before it stands.
    private func extra(_ name: String, until deadline: NIODeadline) async -> String? {
        do { return try await value(of: name, until: deadline) } catch { return nil }
    }

    private func value(of name: String, until deadline: NIODeadline) async throws(FeedError)
        -> String
    {
        let attempt = "read \(name) of UPS \(site.ups)"
        let request = try prepared(attempt) { () throws(UnsendableText) in
            try .variable(name, of: site.ups)
        }
        switch try await readerReply(to: request, attempt, until: deadline) {
        // An answer for another variable means that question and answer are out of step.
        case .variable(_, let answered, let value) where answered.lowercased() == name:
            return value
        case .refusal(let refusal):
            throw error(attempt, .refused(refusal))
        case let other:
            dropReader()
            throw error(attempt, .badAnswer(other, to: "GET VAR \(name)"))
        }
    }

    /// Asks on the reading connection; opens it if there is none, once more if it was kept and
    /// turns out to be broken (upsd drops clients that were silent for 60 s).
    func readerLines(
        _ request: UPSDRequest, _ attempt: String, until deadline: NIODeadline
    ) async throws(FeedError) -> [UPSDLine] {
        do throws(UPSDFault) {
            if let kept = reader, kept.isOpen {
                do throws(UPSDFault) {
                    return try await kept.ask(request, within: limits.reply, until: deadline)
                } catch {
                    if reader === kept { reader = nil }
                    if error.reason != .unreachable { throw error }
                }
            }
            let fresh = try await openReader(until: deadline)
            return try await fresh.ask(request, within: limits.reply, until: deadline)
        } catch {
            throw self.error(attempt, error)
        }
    }

    func readerReply(
        to request: UPSDRequest, _ attempt: String, until deadline: NIODeadline
    ) async throws(FeedError) -> UPSDReply {
        let lines = try await readerLines(request, attempt, until: deadline)
        return UPSDReply(lines.first ?? UPSDLine(""))
    }

    /// Callers that come while a connection is being opened share it.
    private func openReader(until deadline: NIODeadline) async throws(UPSDFault) -> UPSDLink {
        if let open = reader, open.isOpen { return open }
        let task: Task<Result<UPSDLink, UPSDFault>, Never>
        if let opening {
            task = opening
        } else {
            let target = target
            task = Task {
                do throws(UPSDFault) {
                    return .success(try await UPSDLink.open(target, until: deadline))
                } catch {
                    return .failure(error)
                }
            }
            opening = task
        }
        let result = await task.value
        if opening == task {
            opening = nil
            if case .success(let link) = result {
                reader = link
                lastAddress = link.address ?? lastAddress
            }
        }
        return try result.get()
    }

    private func dropReader() {
        reader?.close()
        reader = nil
    }

    // MARK: Login

    /// Logs in on a connection of its own, uses it every `limits.keepAlive` and renews it when it
    /// broke, until `releaseLogin()`. Already held: returns at once.
    public func holdLogin() async throws(FeedError) {
        if wantsLogin, let login, login.isOpen { return }
        let link = try await openLoggedIn("log in")
        // Another call may have been faster; upsd counts both, so one has to go.
        if let login, login.isOpen {
            await logOut(link)
            return
        }
        wantsLogin = true
        login = link
        startKeeper()
    }

    /// Logs in and out again on a connection of its own.
    func proveLogin() async throws(FeedError) {
        await logOut(try await openLoggedIn("log in"))
    }

    /// Whether upsd counts this feed's login now, as far as can be seen without asking.
    public var isLoginHeld: Bool { wantsLogin && login?.isOpen == true }

    /// Logs out (LOGOUT) and closes that connection. Without a login: nothing.
    public func releaseLogin() async {
        wantsLogin = false
        keeper?.cancel()
        keeper = nil
        guard let link = login else { return }
        login = nil
        await logOut(link)
    }

    /// Ends both connections, and with them a held login.
    public func close() async {
        await releaseLogin()
        guard let link = reader else { return }
        reader = nil
        await logOut(link)
    }

    private func startKeeper() {
        keeper?.cancel()
        let every = limits.keepAlive
        keeper = Task { [weak self] in
            while !Task.isCancelled {
                // Cancelled while asleep: the login was released.
                do { try await Task.sleep(for: every) } catch { return }
                guard let self, await self.keepLogin() else { return }
            }
        }
    }

    /// One beat of the keeper; false when there is nothing to keep any more.
    private func keepLogin() async -> Bool {
        guard wantsLogin else { return false }
        let deadline = NIODeadline.now() + TimeAmount(limits.reply)
        do throws(UPSDFault) {
            if let login, login.isOpen {
                _ = try await login.ask(.version, within: limits.reply, until: deadline)
                return wantsLogin
            }
        } catch {
            // It broke: renewed below.
        }
        do throws(FeedError) {
            let link = try await openLoggedIn("renew the login")
            guard wantsLogin, !Task.isCancelled else {
                await logOut(link)
                return false
            }
            login = link
            return true
        } catch {
            // A refusal is final; anything else is tried again at the next beat.
            return wantsLogin && error.reason != .loginRefused
        }
    }

    // MARK: Output

    /// Sends the output policy's instant command as the feed's user, and waits for its result
    /// where upsd offers tracking (2.8.0 and later); elsewhere `OK` only means that the driver has
    /// it. Sent once: never repeated here.
    public func cutOutput() async throws(FeedError) {
        let attempt = "cut the output of UPS \(site.ups)"
        guard let output = site.output else {
            let fault = UPSDFault(
                reason: .refused, detail: "the site file gives this feed no output policy")
            throw error(attempt, fault)
        }
        let request = try prepared(attempt) { () throws(UnsendableText) in
            try .command(output.command, of: site.ups)
        }
        let deadline = NIODeadline.now() + TimeAmount(limits.session)
        let link = try await openAuthenticated(attempt, until: deadline)
        do throws(UPSDFault) {
            // A server without tracking refuses this; then `OK` has to do.
            _ = try await link.reply(to: .trackingOn, within: limits.reply, until: deadline)
            switch try await link.reply(to: request, within: limits.reply, until: deadline) {
            case .ok(let words):
                if words.first == "TRACKING", words.count > 1 {
                    try await awaitResult(words[1], of: output.command, on: link)
                }
            case .refusal(let refusal):
                throw .refused(refusal)
            case let other:
                throw .badAnswer(other, to: "INSTCMD")
            }
        } catch {
            link.close()
            throw self.error(attempt, error)
        }
        await logOut(link)
    }

    /// `ups.delay.shutdown`, which a driver need not have.
    public func outputDelay() async throws(FeedError) -> Duration? {
        let text: String
        do throws(FeedError) {
            text = try await value(
                of: "ups.delay.shutdown", until: NIODeadline.now() + TimeAmount(limits.session))
        } catch {
            guard error.reason == .refused else { throw error }
            return nil
        }
        // Some drivers tell -1 for "not set".
        guard let seconds = Int(text), seconds >= 0 else { return nil }
        return .seconds(seconds)
    }

    private func awaitResult(_ identity: String, of command: String, on link: UPSDLink)
        async throws(UPSDFault)
    {
        let request: UPSDRequest
        do { request = try .tracking(identity) } catch {
            throw UPSDFault(reason: .badAnswer, detail: "upsd gave an unusable tracking id")
        }
        let deadline = NIODeadline.now() + TimeAmount(limits.tracking)
        while NIODeadline.now() < deadline {
            switch try await link.reply(to: request, within: limits.reply, until: deadline) {
            case .text(["SUCCESS"]): return
            case .text(["PENDING"]): break
            case .refusal(let refusal):
                throw UPSDFault(
                    reason: .refused,
                    detail: "the driver did not carry out \(command): \(refusal.token)")
            case let other:
                throw .badAnswer(other, to: "GET TRACKING")
            }
            do { try await Task.sleep(for: limits.trackingPoll) } catch { break }
        }
        throw UPSDFault(
            reason: .timedOut,
            detail: "the driver has \(command) but did not say what became of it")
    }

    // MARK: Parts

    private var target: UPSDLink.Target {
        UPSDLink.Target(
            endpoint: site.server, lastAddress: lastAddress, tls: site.tls, limits: limits,
            traffic: counter)
    }

    private func openLoggedIn(_ attempt: String) async throws(FeedError) -> UPSDLink {
        let request = try prepared(attempt) { () throws(UnsendableText) in try .login(site.ups) }
        let deadline = NIODeadline.now() + TimeAmount(limits.session)
        let link = try await openAuthenticated(attempt, until: deadline)
        do throws(UPSDFault) {
            try await expectOK(request, "LOGIN", on: link, until: deadline)
            return link
        } catch {
            link.close()
            throw self.error(attempt, error)
        }
    }

    /// A connection of its own with user and password sent. upsd says OK to any: whether they are
    /// right shows in what follows.
    private func openAuthenticated(_ attempt: String, until deadline: NIODeadline)
        async throws(FeedError) -> UPSDLink
    {
        guard let user = site.user, let password else {
            let fault = UPSDFault(
                reason: .loginRefused,
                detail: "the site file gives this feed no user and password for upsd")
            throw error(attempt, fault)
        }
        let sayUser = try prepared("\(attempt) (the user)") { () throws(UnsendableText) in
            try .user(user)
        }
        let sayPassword = try prepared("\(attempt) (the password)") { () throws(UnsendableText) in
            try .password(password.value)
        }
        do throws(UPSDFault) {
            let link = try await UPSDLink.open(target, until: deadline)
            lastAddress = link.address ?? lastAddress
            do throws(UPSDFault) {
                try await expectOK(sayUser, "USERNAME", on: link, until: deadline)
                try await expectOK(sayPassword, "PASSWORD", on: link, until: deadline)
            } catch {
                link.close()
                throw error
            }
            return link
        } catch {
            throw self.error(attempt, error)
        }
    }

    private func expectOK(
        _ request: UPSDRequest, _ name: String, on link: UPSDLink, until deadline: NIODeadline
    ) async throws(UPSDFault) {
        switch try await link.reply(to: request, within: limits.reply, until: deadline) {
        case .ok: return
        case .refusal(let refusal): throw .refused(refusal)
        case let other: throw .badAnswer(other, to: name)
        }
    }

    /// Says LOGOUT and closes. Its failure changes nothing: upsd counts a closed connection out.
    private func logOut(_ link: UPSDLink) async {
        let deadline = NIODeadline.now() + TimeAmount(limits.reply)
        do throws(UPSDFault) {
            _ = try await link.ask(.logout, within: limits.reply, until: deadline)
        } catch {}
        link.close()
    }

    func prepared(
        _ attempt: String, _ make: () throws(UnsendableText) -> UPSDRequest
    ) throws(FeedError) -> UPSDRequest {
        do throws(UnsendableText) { return try make() } catch {
            throw self.error(
                attempt,
                UPSDFault(
                    reason: .refused, detail: "the site file has what upsd cannot read: \(error)"))
        }
    }

    func error(_ attempt: String, _ fault: UPSDFault) -> FeedError {
        FeedError(feed: feed, attempting: attempt, reason: fault.reason, detail: fault.detail)
    }
}
