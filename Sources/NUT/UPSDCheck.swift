import NIOCore
public import PowerModel
public import PowerRun

/// What `vpower check` wants to know of a feed. Parts that could not be had are nil, and their
/// errors are in `problems`.
public struct UPSDCheck: Hashable, Sendable {
    /// The feed.
    public var feed: FeedName
    /// What the server says it is (`VER`).
    public var serverVersion: String?
    /// Its protocol (`NETVER`): 1.2 in NUT 2.7.4, 1.3 since 2.8.0.
    public var protocolVersion: String?
    /// Whether the connection was TLS, verified.
    public var isEncrypted: Bool
    /// One look at the UPS.
    public var reading: FeedReading
    /// How many clients are logged in for this UPS, vpower's own check not counted.
    public var logins: Int?
    /// The instant commands the UPS has, sorted.
    public var commands: [String]?
    /// Whether a real LOGIN was accepted; nil when the feed has no user.
    public var loginAccepted: Bool?
    /// Whether the output policy's command is among `commands`; nil when either is not known.
    public var outputCommandOffered: Bool?
    /// What went wrong, in the order met.
    public var problems: [FeedError]
}

extension UPSDFeed {
    /// Looks at everything an outage will need of this feed, within a few `limits.session`.
    /// Changes nothing: it logs in and out again. Never fails: see `problems`.
    public func check() async -> UPSDCheck {
        var found = UPSDCheck(
            feed: feed, isEncrypted: false, reading: FeedReading(status: nil), problems: [])
        let deadline = NIODeadline.now() + TimeAmount(limits.session)
        do throws(FeedError) {
            found.serverVersion = try await version(.version, "ask for upsd's version", deadline)
            if case .require = site.tls { found.isEncrypted = true }
            found.reading = await read()
            found.protocolVersion = try await version(
                .protocolVersion, "ask for upsd's protocol", deadline)
        } catch {
            found.problems.append(error)
            // Without a server there is nothing more to learn.
            if found.serverVersion == nil {
                found.reading.problem = error.description
                return found
            }
        }
        do throws(FeedError) {
            found.logins = try await logins(deadline)
            found.commands = try await commands(deadline)
        } catch {
            found.problems.append(error)
        }
        if let output = site.output, let commands = found.commands {
            found.outputCommandOffered = commands.contains(output.command)
        }
        await checkLogin(&found)
        return found
    }

    private func checkLogin(_ found: inout UPSDCheck) async {
        guard site.user != nil else { return }
        // A login that is held already is the proof; it must not be released here.
        if isLoginHeld {
            found.loginAccepted = true
            return
        }
        do throws(FeedError) {
            try await proveLogin()
            found.loginAccepted = true
        } catch {
            found.loginAccepted = error.reason == .loginRefused ? false : nil
            found.problems.append(error)
        }
    }

    private func version(
        _ request: UPSDRequest, _ attempt: String, _ deadline: NIODeadline
    ) async throws(FeedError) -> String {
        switch try await readerReply(to: request, attempt, until: deadline) {
        case .text(let words): return words.joined(separator: " ")
        case .refusal(let refusal): throw error(attempt, .refused(refusal))
        case let other: throw error(attempt, .badAnswer(other, to: request.line))
        }
    }

    private func logins(_ deadline: NIODeadline) async throws(FeedError) -> Int {
        let attempt = "count the logins of UPS \(site.ups)"
        let request = try prepared(attempt) { () throws(UnsendableText) in
            try .logins(of: site.ups)
        }
        switch try await readerReply(to: request, attempt, until: deadline) {
        case .logins(_, let count): return count
        case .refusal(let refusal): throw error(attempt, .refused(refusal))
        case let other: throw error(attempt, .badAnswer(other, to: "GET NUMLOGINS"))
        }
    }

    private func commands(_ deadline: NIODeadline) async throws(FeedError) -> [String] {
        let attempt = "list the commands of UPS \(site.ups)"
        let request = try prepared(attempt) { () throws(UnsendableText) in
            try .commands(of: site.ups)
        }
        var names: [String] = []
        for line in try await readerLines(request, attempt, until: deadline) {
            switch UPSDReply(line) {
            case .command(_, let name): names.append(name)
            case .frame: continue
            case .refusal(let refusal): throw error(attempt, .refused(refusal))
            case let other: throw error(attempt, .badAnswer(other, to: "LIST CMD"))
            }
        }
        return names.sorted()
    }
}
