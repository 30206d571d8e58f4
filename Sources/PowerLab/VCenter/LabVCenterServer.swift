import Foundation
import Hummingbird
import NIOCore
import PowerModel
import PowerRun

/// Where the lab's vCenter listens, and what its certificate is.
public struct LabVCenterAddress: Hashable, Sendable {
    /// Its port on 127.0.0.1.
    public var port: Int
    /// SHA-256 of its certificate's DER form, in lower-case hex.
    public var certificateSHA256: String
    /// Its certificate as a PEM file.
    public var certificatePEMPath: String

    /// Where something listens that is spoken to as the lab's vCenter is.
    public init(port: Int, certificateSHA256: String, certificatePEMPath: String) {
        self.port = port
        self.certificateSHA256 = certificateSHA256
        self.certificatePEMPath = certificatePEMPath
    }
}

/// The simulated site's vCenter on the wire: vim25 SOAP over HTTPS (facts/vsphere.md section 2).
///
/// It reads requests by the schema and refuses what the schema does not allow, so that a client
/// that passes here has its element orders and types right. While the site's vCenter is down,
/// connections are refused; while it starts, a proxy answers 503; a restart forgets all sessions,
/// views, filters and tasks.
public actor LabVCenterServer: LabVimServer {
    let world: LabWorld
    let user: String
    /// What all its interfaces log in to.
    public nonisolated let account: LabHostAccount
    private let directory: String
    /// The most objects in one answer, whatever a client asks for.
    private(set) var pageSize: Int
    /// Which release of vSphere it is.
    public let release: LabRelease
    let table = VimTable.vim25

    /// The newest request of each method, as it came: for who checks what a client sends.
    public private(set) var requests: [String: [UInt8]] = [:]
    /// Calls of vim25 that were answered, as SOAP or JSON, refused ones as well.
    public internal(set) var calls = 0
    /// Requests to the REST interface, refused ones as well.
    public internal(set) var restCalls = 0
    /// Bytes of requests' bodies.
    public internal(set) var bytesIn = 0
    /// Bytes of answers' bodies.
    public private(set) var bytesOut = 0

    private var listener: LabListener?
    private var watch: Task<Void, Never>?

    var sessions: [String: LabSession] = [:]
    var restSessions: Set<String> = []
    /// Whether the REST interface's tagging service answers.
    var isTaggingUp = true
    /// Whether the REST interface answers, and whom it lets in.
    var isRESTUp = true
    var refusesRESTLogins = false
    /// Logins to the REST interface, refused ones as well.
    public internal(set) var restLogins = 0
    /// Whether a call of the REST interface that switches power returns when that is done.
    var restAwaitsPower = true
    /// Why the appliance was told to shut down, each time.
    public internal(set) var applianceReasons: [String] = []
    /// What the user may not do, on any object.
    var withheld: Set<String> = []
    var tasks: [String: LabTask] = [:]
    var taskRuns: [String: Task<Void, Never>] = [:]
    var options: [String: String] = LabVCenterServer.firstOptions
    var lastSeen: [GuestID: LabInventoryTree.LastSeen] = [:]
    /// Grows with what changes in vCenter but not in the world: tasks, options.
    var revision = 0
    private var lastNumber = 0

    /// A vCenter of this world.
    ///
    /// - Parameters:
    ///   - user: the only user there is.
    ///   - password: the user's password.
    ///   - directory: where its certificate goes; it must exist.
    ///   - pageSize: the most objects in one answer (facts/vsphere.md 2.3: 100 was seen).
    ///   - release: what it speaks, and what it hides.
    public init(
        world: LabWorld, user: String, password: String, directory: String, pageSize: Int = 100,
        release: LabRelease = .v80u3
    ) {
        self.world = world
        self.user = user
        self.directory = directory
        account = LabHostAccount(user: user, password: password, time: world.time)
        self.pageSize = max(1, pageSize)
        self.release = release
    }

    /// How many logins are live.
    public var sessionCount: Int { sessions.count }
    /// How many logins to the REST interface are live: they are not those of SOAP.
    public var restSessionCount: Int { restSessions.count }

    /// Forgets all logins, as vCenter does with idle ones.
    public func endSessions() {
        sessions = [:]
        restSessions = []
    }

    /// Forgets the logins to the REST interface.
    public func endRESTSessions() { restSessions = [] }

    /// Sets how many objects an answer has at most, whatever a client asks for: the rest comes in
    /// further pages.
    public func setPageSize(_ objects: Int) { pageSize = max(1, objects) }

    /// How many views and private property collectors live sessions hold open.
    public var openObjects: (views: Int, collectors: Int) {
        (
            sessions.values.reduce(0) { $0 + $1.views.count },
            sessions.values.reduce(0) { $0 + $1.collectors.count - 1 }
        )
    }

    /// Says whether the tagging service answers.
    public func setTaggingUp(_ isUp: Bool) { isTaggingUp = isUp }

    /// Says whether there is more of the REST interface than a proxy in front of it.
    public func setRESTUp(_ isUp: Bool) { isRESTUp = isUp }

    /// Says whether the REST interface refuses every login.
    public func refuseRESTLogins(_ refuses: Bool) { refusesRESTLogins = refuses }

    /// Says whether a call of the REST interface that switches power returns when that is done, or
    /// at once: which of the two vCenter does is not known (facts/vsphere.md 7).
    public func setRESTAwaitsPower(_ awaits: Bool) { restAwaitsPower = awaits }

    /// Takes these privileges from the user, on every object, and gives back all others.
    public func withhold(_ privileges: Set<String>) { withheld = privileges }

    // MARK: Life

    /// Makes a certificate, takes a port and serves as the world's vCenter says.
    public func start() async throws -> LabVCenterAddress {
        guard listener == nil else {
            throw LabVCenterError(attempting: "start", detail: "it has been started already")
        }
        let certificate = try await LabCertificate.make(in: directory)
        let listener = try LabListener(certificate: certificate) { [weak self] request, channel in
            await self?.answer(request, on: channel) ?? Response(status: .serviceUnavailable)
        }
        self.listener = listener
        if world.vcenterState() != .down { try await listener.open() }
        watch = Task { [weak self, world] in
            var seen: UInt64 = 0
            while !Task.isCancelled, let self {
                await self.follow()
                seen = await world.change(after: seen, within: LabVCenterServer.lookEvery)
            }
        }
        return LabVCenterAddress(
            port: listener.port, certificateSHA256: certificate.sha256,
            certificatePEMPath: certificate.certificatePEMPath)
    }

    /// Stops serving; returns when nothing of it runs any more.
    public func stop() async {
        watch?.cancel()
        await watch?.value
        watch = nil
        forgetEverything()
        await listener?.close()
        listener = nil
    }

    /// How often vCenter looks at a world in which nothing was noted: Tools that come up, for
    /// one, are not.
    static let lookEvery: Duration = .milliseconds(200)

    /// Follows the world: what was seen last of guests, and whether vCenter is there at all.
    private func follow() async {
        let snapshot = world.vcenterSnapshot()
        guard let listener else { return }
        switch snapshot.vcenter {
        case .up: remember(snapshot)
        case .starting: forgetEverything()
        case .down:
            forgetEverything()
            return await listener.close()
        }
        do { try await listener.open() } catch {
            // The port is kept, so that only a shortage of descriptors can be the reason: the
            // next look tries again, and clients meet a vCenter that is down.
            await listener.breakConnections()
        }
    }

    /// Notes what a vCenter in touch with a host sees of its guests.
    func remember(_ snapshot: LabSnapshot) {
        for guest in snapshot.guests where snapshot.host(guest.host)?.isConnected == true {
            lastSeen[guest.spec.id] = LabInventoryTree.LastSeen(
                power: guest.power, toolsRunning: guest.toolsRunning)
        }
    }

    /// What a restart of vCenter loses.
    func forgetEverything() {
        sessions = [:]
        restSessions = []
        tasks = [:]
        for run in taskRuns.values { run.cancel() }
        taskRuns = [:]
    }

    /// Keeps a request for who checks what a client sends.
    func note(_ body: [UInt8], of method: String) { requests[method] = body }

    /// A number nobody has had.
    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    // MARK: HTTP

    /// More than any request of vim25 that a client of the lab has reason to send.
    static let largestRequest = 4 << 20

    private func answer(_ request: Request, on channel: any Channel) async -> Response {
        switch world.vcenterState() {
        case .down:
            // The listener is about to be closed; nobody is there to answer.
            await listener?.breakConnections()
            return Response(status: .serviceUnavailable)
        case .starting:
            return text("no healthy upstream", .serviceUnavailable, "text/plain")
        case .up: break
        }
        let path = request.uri.path
        if path == "/sdk/vimServiceVersions.xml", request.method == .get {
            return text(serviceVersions, .ok, "text/xml")
        }
        if path.hasPrefix(Self.jsonPrefix) { return await answerJSON(request, on: channel) }
        if path == "/api/vcenter/system" { return await answerHello(request) }
        if path.hasPrefix("/api/") || path.hasPrefix("/rest/") { return await answerREST(request) }
        guard path == "/sdk" || path == "/sdk/" || path == Self.vsanPath else {
            return text("", .notFound, "text/plain")
        }
        guard request.method == .post else { return text("", .methodNotAllowed, "text/plain") }
        do {
            let body = try await request.body.collect(upTo: LabVCenterServer.largestRequest)
            if path == Self.vsanPath {
                return answerVSAN(Array(body.readableBytesView), headers: request.headers)
            }
            return await answer(
                Array(body.readableBytesView), headers: request.headers, on: channel)
        } catch {
            return text("", .contentTooLarge, "text/plain")
        }
    }

    private func answer(
        _ body: [UInt8], headers: HTTPFields, on channel: any Channel
    ) async -> Response {
        calls += 1
        bytesIn += body.count
        var version = release.newest
        var cookie: String?
        do {
            version = try requestedVersion(headers)
            let call = try VimDecoder(table: table, version: version).call(in: body)
            requests[call.method] = body
            let result = try await execute(
                call, session: Self.sessionKey(in: headers), channel, &cookie)
            let answer = VimEncoder(table: table, version: version)
                .response(to: call.method, result)
            return text(answer, .ok, "text/xml; charset=utf-8", cookie: cookie)
        } catch {
            let answer = VimEncoder(table: table, version: version).fault(error)
            return text(answer, .internalServerError, "text/xml; charset=utf-8")
        }
    }

    func text(
        _ body: String, _ status: HTTPResponse.Status, _ type: String, cookie: String? = nil
    ) -> Response {
        bytesOut += body.utf8.count
        var headers: HTTPFields = [.contentType: type]
        if let cookie {
            headers[.setCookie] =
                "vmware_soap_session=\"\(cookie)\"; Path=/; HttpOnly; Secure;"
        }
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }
}
