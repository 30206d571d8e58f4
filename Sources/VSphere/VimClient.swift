import PowerModel
import Synchronization
import Transport

/// One login: what belongs to it dies with it (views, filters, collectors).
struct Session: Sendable {
    /// Counts the logins of this client.
    var generation: Int
    /// How vCenter calls it.
    var key: String
    /// How calls are written and answers are read, with what proves the login.
    var wire: any VimWire
    /// Where the managers are.
    var content: ServiceContent
}

/// Who is expected to answer, and what follows for logins.
enum VimServer: Sendable {
    case vcenter
    case host

    /// What it says of itself (`AboutInfo.apiType`).
    var apiType: String {
        switch self {
        case .vcenter: "VirtualCenter"
        case .host: "HostAgent"
        }
    }

    var name: String {
        switch self {
        case .vcenter: "vCenter"
        case .host: "ESXi host"
        }
    }

    /// Whether a refused login is never repeated: a host locks the account after five of them; a
    /// vCenter refuses logins while SSO is starting.
    var isRefusalFinal: Bool { self == .host }
}

/// Sends vim25 calls over HTTPS and keeps one login.
final class VimClient: Sendable {
    private let https: HTTPSClient
    private let server: VimServer
    private let user: String
    private let password: String
    private let limits: VCenterLimits
    private let transport: VCenterTransport
    private let login = LoginState<Session>()
    private let operations = Atomic<UInt64>(0)

    init(
        https: HTTPSClient, expecting server: VimServer = .vcenter, user: String,
        password: String, limits: VCenterLimits, transport: VCenterTransport = .soap
    ) {
        self.https = https
        self.server = server
        self.user = user
        self.password = password
        self.limits = limits
        self.transport = transport
    }

    /// Requests and bytes so far.
    var counters: HTTPSCounters { https.counters }

    // MARK: Calls

    /// One call; the response, e.g. `<ShutdownGuestResponse>`, in one form for every wire.
    func call(
        _ method: VimMethod, on object: Reference, in session: Session, within limit: Duration,
        stallLimit: Duration? = nil, _ arguments: (inout VimFields) -> Void = { _ in }
    ) async throws(CallFailure) -> Element {
        let response = try await send(
            method, on: object, over: session.wire, within: limit, stallLimit: stallLimit,
            arguments)
        return try session.wire.result(response, of: method)
    }

    private func send(
        _ method: VimMethod, on object: Reference, over wire: any VimWire, within limit: Duration,
        stallLimit: Duration? = nil, _ arguments: (inout VimFields) -> Void
    ) async throws(CallFailure) -> HTTPSResponse {
        try await send(
            wire.request(
                VimCall(
                    method: method, object: object, arguments: VimFields(arguments),
                    operation: "vpower-\(operations.add(1, ordering: .relaxed).newValue)"),
                timeout: limit, stallLimit: stallLimit))
    }

    private func send(_ request: HTTPSRequest) async throws(CallFailure) -> HTTPSResponse {
        do {
            return try await https.send(request)
        } catch {
            throw .transport(error)
        }
    }

    // MARK: Sessions

    /// Runs calls in the current session, logging in when there is none. When vCenter has
    /// forgotten the session, logs in once more and runs them again from their beginning, so that
    /// views, filters and tokens of the old session are never used in the new one.
    func withSession<Value: Sendable>(
        _ body: (Session) async throws(CallFailure) -> Value
    ) async throws(CallFailure) -> Value {
        let session = try await session(after: nil)
        do throws(CallFailure) {
            return try await body(session)
        } catch {
            guard error.isNotAuthenticated else { throw error }
        }
        return try await body(try await self.session(after: session.generation))
    }

    /// A session newer than `generation`. Several callers share one login.
    private func session(after generation: Int?) async throws(CallFailure) -> Session {
        if let refusal = login.refusal { throw refusal }
        let attempt = try login.attempt(after: generation) { next in
            Task { await self.logIn(generation: next) }
        }
        let result = await attempt.value
        // A failed attempt is over: the next call makes a new one. The refusal itself is never
        // repeated here; when to try again is the engine's to decide.
        if case .failure = result { login.forget(attempt) }
        return try result.get()
    }

    private func logIn(generation: Int) async -> Result<Session, CallFailure> {
        do throws(CallFailure) {
            let (wire, content) = try await meet()
            guard content.about.apiType == server.apiType else {
                throw .refused(
                    "this is no \(server.name) but \(content.about.name) "
                        + "(\(content.about.apiType))")
            }
            let (key, proven) = try await logIn(content.sessionManager, over: wire)
            return .success(
                Session(generation: generation, key: key, wire: proven, content: content))
        } catch {
            return .failure(error)
        }
    }

    private func logIn(
        _ manager: Reference, over wire: any VimWire
    ) async throws(CallFailure) -> (key: String, wire: any VimWire) {
        do throws(CallFailure) {
            let response = try await send(.login, on: manager, over: wire, within: limits.login) {
                $0.add("userName", user)
                $0.add("password", password)
            }
            let reply = try wire.result(response, of: .login)
            guard let key = reply.at("returnval", "key")?.text, !key.isEmpty else {
                throw .unreadable("to Login has no key of the session")
            }
            return (key, try wire.loggedIn(by: response))
        } catch {
            guard case .fault(let fault) = error else { throw error }
            if Self.loginRefusals.contains(fault.type) {
                if server.isRefusalFinal { login.refuse(error) }
                throw error
            }
            // SSO comes up later than the API (facts/vsphere.md 2.14).
            throw .starting("nobody can log in yet: \(fault.description)")
        }
    }

    /// Why nobody is logged in any more by this client; nil while that is still tried.
    var refusal: CallFailure? { login.refusal }

    /// Faults of Login that waiting does not cure.
    private static let loginRefusals: Set = [
        "InvalidLogin", "NoPermission", "InvalidLocale", "PasswordExpired", "NotSupported",
    ]

    /// Who answers there, without a login.
    func greet() async throws(CallFailure) -> ServiceContent { try await meet().content }

    /// Finds a wire that both sides know, and where the managers are.
    private func meet() async throws(CallFailure) -> (wire: any VimWire, content: ServiceContent) {
        let offered = try await send(
            HTTPSRequest(path: "/sdk/vimServiceVersions.xml", timeout: limits.call))
        guard offered.status == 200 else { throw .status(offered.status) }
        let soap = SOAPWire(
            version: try APIVersion.choose(offered.body), cookies: HTTPSCookieJar())
        guard transport == .json, let release = try await jsonRelease(soap.version) else {
            return (soap, try await content(over: soap))
        }
        let json = JSONWire(version: release, session: nil)
        do throws(CallFailure) {
            return (json, try await content(over: json))
        } catch {
            switch error {
            // A vCenter that offers it and does not answer in it: an outage does not depend on
            // which form it is asked in.
            case .status, .unreadable: return (soap, try await content(over: soap))
            default: throw error
            }
        }
    }

    /// The release of VI JSON that both sides know; nil where there is none (facts/vsphere.md 1.3).
    /// Asked for, never tried out: to an unknown one vCenter answers with status 500.
    private func jsonRelease(_ version: String) async throws(CallFailure) -> String? {
        let known = APIVersion.known(from: APIVersion.firstJSON)
        guard known.contains(version) else { return nil }
        // 8.0U1 cannot be asked.
        guard version != APIVersion.firstJSON else { return version }
        let answer = try await send(
            HTTPSRequest(
                method: "POST", path: "/api/vcenter/system?action=hello",
                headers: [.init("Content-Type", "application/json")],
                body: Array(try JSONWire.data(VimFields { $0.add("api_releases", all: known) })),
                timeout: limits.call))
        guard answer.status == 200 else { return nil }
        do throws(JSONReply.Problem) {
            let release = try JSONReply.elements("hello", in: answer.body).first?["api_release"]
            return release.flatMap { known.contains($0.text) ? $0.text : nil }
        } catch { return nil }
    }

    private func content(over wire: any VimWire) async throws(CallFailure) -> ServiceContent {
        let response = try await send(try wire.contentRequest(timeout: limits.call))
        return try ServiceContent(
            reply: try wire.result(response, of: .retrieveServiceContent))
    }

    /// Forgets the login without a word to the server, which is going down.
    func abandon() { _ = login.end() }

    /// Lets nobody log in any more.
    func closeLogins() { login.close() }

    /// Logs out, if logged in. What cannot be logged out expires by itself.
    func logOut() async {
        guard let attempt = login.end(), case .success(let session) = await attempt.value else {
            return
        }
        do throws(CallFailure) {
            _ = try await call(
                .logout, on: session.content.sessionManager, in: session,
                within: Self.logoutLimit)
        } catch {
            // The server drops idle sessions; there is nobody who could do more.
        }
    }

    /// Nobody waits for a logout longer than this: vCenter may be shutting down.
    private static let logoutLimit: Duration = .seconds(5)
}
