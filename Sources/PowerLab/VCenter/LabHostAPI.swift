import Foundation
import Hummingbird
import NIOCore
public import PowerModel
import PowerRun

/// A simulated host's own SOAP endpoint: vim25 over HTTPS as an ESXi host answers it, by the same
/// types and as strictly as the lab's vCenter, on the same world as the host's SSH side.
///
/// While the host is off, connections are refused; while its hostd is not ready, a proxy answers
/// 503; a boot forgets all sessions and tasks.
public actor LabHostAPI: LabVimServer {
    /// The host.
    public nonisolated let host: HostName
    /// What SSH and this endpoint log in to.
    public nonisolated let account: LabHostAccount

    /// Which release of ESXi it is.
    public nonisolated let release: LabRelease

    let world: LabWorld
    let table = VimTable.vim25
    let pageSize = 100
    private let directory: String

    /// SOAP calls that were answered, refused ones as well, by method, in order.
    public private(set) var calls: [String] = []

    private var listener: LabListener?
    private var watch: Task<Void, Never>?

    var sessions: [String: LabSession] = [:]
    var withheld: Set<String> = []
    var tasks: [String: LabTask] = [:]
    var taskRuns: [String: Task<Void, Never>] = [:]
    /// The newest request of each method, as it came: for who checks what a client sends.
    public private(set) var requests: [String: [UInt8]] = [:]
    var lockdown = "lockdownDisabled"
    var isReadOnly = false
    /// Whether the next answer is replaced by the end of the connection.
    private var breaksAfter: String?
    /// Guests that were in the autostart order once.
    var takenOut: Set<String> = []
    private var lastNumber = 0

    /// The endpoint of a host of this world.
    ///
    /// - Parameters:
    ///   - account: who may log in.
    ///   - directory: where its certificate goes; it must exist.
    ///   - release: what it speaks, and what it hides.
    public init(
        _ host: HostName, in world: LabWorld, account: LabHostAccount, directory: String,
        release: LabRelease = .v80u3
    ) {
        self.release = release
        self.host = host
        self.world = world
        self.account = account
        self.directory = directory
    }

    /// How many logins are live.
    public var sessionCount: Int { sessions.count }

    /// Takes these privileges from the user, on every object, and gives back all others.
    public func withhold(_ privileges: Set<String>) { withheld = privileges }

    /// Sets the lockdown mode (`HostLockdownMode`). The user is an exception user unless
    /// `keepsOut`: then a login is refused.
    public func setLockdown(_ mode: String, keepsOut: Bool) {
        lockdown = mode
        isKeptOut = keepsOut
    }
    private(set) var isKeptOut = false

    /// Gives the host a licence whose API reads only, as the free ESXi has it, or takes it back.
    public func setReadOnly(_ isReadOnly: Bool) { self.isReadOnly = isReadOnly }

    /// Carries out the next call of this method, and breaks the connection instead of answering.
    public func breakAfter(_ method: String) { breaksAfter = method }

    /// Forgets all logins, as the idle limit does.
    public func expireSessions() { sessions = [:] }

    // MARK: Life

    /// Makes a certificate, takes a port and serves as the world's host is.
    public func start() async throws -> LabVCenterAddress {
        guard listener == nil else {
            throw LabVCenterError(attempting: "start", detail: "it has been started already")
        }
        let certificate = try await LabCertificate.make(in: directory, named: "api")
        let listener = try LabListener(certificate: certificate) { [weak self] request, channel in
            await self?.answer(request, on: channel) ?? Response(status: .serviceUnavailable)
        }
        self.listener = listener
        if world.answers(host) { try await listener.open() }
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

    private func follow() async {
        guard let listener else { return }
        guard world.answers(host) else {
            forgetEverything()
            return await listener.close()
        }
        if !world.hostdReady(host) { forgetEverything() }
        do { try await listener.open() } catch {
            // As in the lab's vCenter: only a shortage of descriptors; the next look tries again.
            await listener.breakConnections()
        }
    }

    /// What a boot loses.
    private func forgetEverything() {
        sessions = [:]
        tasks = [:]
        for run in taskRuns.values { run.cancel() }
        taskRuns = [:]
    }

    /// A number nobody has had.
    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    // MARK: HTTP

    private func answer(_ request: Request, on channel: any Channel) async -> Response {
        guard world.answers(host) else {
            await listener?.breakConnections()
            return Response(status: .serviceUnavailable)
        }
        guard world.hostdReady(host) else {
            return text("hostd is not there yet", .serviceUnavailable, "text/plain")
        }
        let path = request.uri.path
        if path == "/sdk/vimServiceVersions.xml", request.method == .get {
            return text(serviceVersions, .ok, "text/xml")
        }
        guard path == "/sdk" || path == "/sdk/" else { return text("", .notFound, "text/plain") }
        guard request.method == .post else { return text("", .methodNotAllowed, "text/plain") }
        do {
            let body = try await request.body.collect(upTo: LabVCenterServer.largestRequest)
            return await answer(
                Array(body.readableBytesView), headers: request.headers, on: channel)
        } catch {
            return text("", .contentTooLarge, "text/plain")
        }
    }

    private func answer(
        _ body: [UInt8], headers: HTTPFields, on channel: any Channel
    ) async -> Response {
        var version = release.newest
        var cookie: String?
        do {
            version = try requestedVersion(headers)
            let call = try VimDecoder(table: table, version: version).call(in: body)
            calls.append(call.method)
            requests[call.method] = body
            let result = try execute(
                call, session: Self.sessionKey(in: headers), &cookie)
            if breaksAfter == call.method {
                breaksAfter = nil
                await listener?.breakConnections()
            }
            let answer = VimEncoder(table: table, version: version)
                .response(to: call.method, result)
            return text(answer, .ok, "text/xml; charset=utf-8", cookie: cookie)
        } catch {
            let answer = VimEncoder(table: table, version: version).fault(error)
            return text(answer, .internalServerError, "text/xml; charset=utf-8")
        }
    }

    private func text(
        _ body: String, _ status: HTTPResponse.Status, _ type: String, cookie: String? = nil
    ) -> Response {
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
