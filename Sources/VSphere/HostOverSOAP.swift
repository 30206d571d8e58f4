public import PowerModel
public import PowerRun
import Synchronization
public import Transport

/// The limits of waits on a host's own SOAP endpoint.
public struct HostSOAPLimits: Hashable, Sendable {
    /// A call that does one thing. hostd answers in a second or two; a host whose storage is
    /// failing takes many times that.
    public var call: Duration = .seconds(30)
    /// A login: hostd asks nobody else.
    public var login: Duration = .seconds(30)
    /// Until a guest that was told to is on or off. A pending question blocks for ever.
    public var power: Duration = .seconds(60)
    /// Until a guest that was told to is suspended: 64 GiB at 100 MB/s take eleven minutes.
    public var suspend: Duration = .seconds(900)
    /// Until TCP and TLS are up.
    public var connect: Duration = .seconds(10)
    /// Until a port that does not answer counts as silent.
    public var silence: Duration = .seconds(3)
    /// Requests under way at the same time: hostd is a small service.
    public var requestsAtOnce = 8

    /// The defaults.
    public init() {}

    /// The same, as every vim25 call knows them.
    var vim: VCenterLimits {
        var limits = VCenterLimits()
        limits.call = call
        limits.read = call
        limits.login = login
        limits.connect = connect
        return limits
    }
}

/// One ESXi host over its own SOAP endpoint: vim25, as vCenter speaks it, with one cluster less
/// and identities of its own. Works without vCenter, and without SSH.
///
/// Guests are known by their configuration file, looked up for every act. What was asked for is
/// seen by looking at the object, not believed of the task. A refused login is final: this object
/// never makes another. Wire format and traps: shared facts on vSphere, sections 2 and 4.3.
public final class HostOverSOAP: HostWay {
    /// The host.
    public let host: HostName

    let site: HostAPISite
    let limits: HostSOAPLimits
    let vim: VimClient
    private let addresses: AddressBook?
    /// The host's own object, known for one session.
    private let known = Mutex<(generation: Int, host: Reference)?>(nil)

    /// A host; connects and logs in with the first call.
    ///
    /// - Parameters:
    ///   - host: its name, for messages.
    ///   - addresses: what names resolved to earlier, for when DNS is down; nil asks.
    public init(
        _ host: HostName, site: HostAPISite, password: Secret,
        limits: HostSOAPLimits = HostSOAPLimits(), addresses: AddressBook? = nil
    ) {
        self.host = host
        self.site = site
        self.limits = limits
        self.addresses = addresses
        let https = HTTPSClient(
            endpoint: HTTPSEndpoint(host: site.endpoint.host, port: site.endpoint.port),
            trust: HTTPSTrust(site.trust),
            options: HTTPSOptions(
                connectLimit: limits.connect, addresses: addresses,
                requestsAtOnce: limits.requestsAtOnce))
        vim = VimClient(
            https: https, expecting: .host, user: site.user, password: password.value,
            limits: limits.vim)
    }

    /// Requests and bytes so far, logins included.
    public var counters: HTTPSCounters { vim.counters }

    /// Whether nobody answers at the endpoint's port. Silence alone does not prove "off".
    public func isSilent() async -> Bool {
        let answers = await Reachability.answers(
            host: site.endpoint.host, port: site.endpoint.port, within: limits.silence,
            addresses: addresses)
        // A wait that was called off proves nothing.
        return !answers && !Task.isCancelled
    }

    /// Logs out. A later call logs in anew, unless the login was refused.
    public func close() async { await vim.logOut() }
}

extension HTTPSTrust {
    /// As the site file has it.
    init(_ trust: CertificateTrust) {
        self =
            switch trust {
            case .system: .system
            case .bundle(let path): .bundle(path: path)
            case .pinned(let sha256): .pinned(sha256: sha256)
            }
    }
}

extension HostOverSOAP {
    /// Does something in a session, in the host's words.
    func attempt<Value: Sendable>(
        _ attempting: String, _ body: (Session) async throws(CallFailure) -> Value
    ) async throws(HostError) -> Value {
        do throws(CallFailure) {
            return try await vim.withSession(body)
        } catch {
            throw self.error(error, attempting)
        }
    }

    func error(_ reason: HostError.Reason, _ attempting: String, _ detail: String) -> HostError {
        HostError(host: host, attempting: attempting, reason: reason, detail: detail)
    }

    func error(_ failure: CallFailure, _ attempting: String) -> HostError {
        let (reason, detail) = failure.forEngine
        if failure == vim.refusal {
            return error(.loginRefused, attempting, refusedLogin(failure, detail))
        }
        if case .fault(let fault) = failure, fault.type == "RestrictedVersion" {
            return error(
                .wayUnusable, attempting,
                "the host's licence lets its API read only (\(detail)); SSH is not restricted")
        }
        return error(HostError.Reason(reason), attempting, detail)
    }

    private func refusedLogin(_ failure: CallFailure, _ detail: String) -> String {
        var said =
            "the login of \(site.user) was refused (\(detail)). vpower does not try again: five "
            + "refusals lock the account. "
        if case .fault(let fault) = failure, fault.type == "NoPermission" {
            said += "Is the host in lockdown mode, and \(site.user) none of its exception users?"
        } else {
            said += "Look at the user and the password in \(site.password)"
        }
        return said
    }

    /// The host's own object.
    func reference(in session: Session) async throws(CallFailure) -> Reference {
        if let known = known.withLock({ $0 }), known.generation == session.generation {
            return known.host
        }
        let objects = try await all(["name"], of: "HostSystem", in: session)
        guard objects.count == 1, let host = objects.first?.reference else {
            throw .unreadable("shows \(objects.count) hosts, and not itself alone")
        }
        known.withLock { $0 = (session.generation, host) }
        return host
    }

    /// All objects of a kind, with these properties.
    func all(
        _ paths: [String], of kind: String, in session: Session
    ) async throws(CallFailure) -> [ObjectProperties] {
        let choices = [PropertyChoice(kind: kind, paths: paths)]
        let view = try await vim.createView(of: choices, in: session, within: limits.call)
        let objects: [ObjectProperties]
        do throws(CallFailure) {
            objects = try await vim.read(choices, view: view, in: session, limits: limits.vim)
        } catch {
            await vim.discard(view, with: .destroyView, in: session)
            throw error
        }
        await vim.discard(view, with: .destroyView, in: session)
        return objects
    }

    /// Properties of one object.
    func look(
        at object: Reference, _ paths: [String], in session: Session
    ) async throws(CallFailure) -> ObjectProperties {
        let choice = PropertyChoice(kind: object.kind, paths: paths)
        let objects = try await vim.read(
            [choice], of: [object], in: session, limits: limits.vim)
        guard let found = objects.first(where: { $0.reference == object }) else {
            throw .unreadable("says nothing of \(object.id)")
        }
        return found
    }
}

extension HostError.Reason {
    /// What a failed call means on a host.
    init(_ reason: ClusterError.Reason) {
        self =
            switch reason {
            case .unreachable: .unreachable
            case .starting: .notReady
            case .certificateRefused: .hostKeyRefused
            case .loginRefused: .loginRefused
            case .notFound: .notFound
            case .toolsUnavailable: .toolsUnavailable
            case .notPermitted, .methodDisabled, .wrongState, .busy, .noRoom, .refused: .refused
            case .timedOut: .timedOut
            case .badAnswer: .badAnswer
            }
    }
}
