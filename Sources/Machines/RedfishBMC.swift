import FoundationEssentials
public import PowerModel
public import PowerRun
import Synchronization
public import Transport

/// A host's management controller over Redfish, read only: `ComputerSystem.PowerState` of DMTF's
/// DSP2046, with the HTTP Basic authentication that DSP0266 demands of every service.
public final class RedfishBMC: BMCControl {
    /// Connecting and one answer: controllers are slow, and several may be asked one after the
    /// other while a battery drains.
    public static let limitDefault: Duration = .seconds(10)
    /// A system's whole page is some 20 KB.
    private static let bodyLimitBytes = 1024 * 1024
    private static let systems = "/redfish/v1/Systems"
    /// What a controller said, short enough for a message.
    private static let saidLengthMax = 200

    /// The host.
    public let host: HostName
    private let client: HTTPSClient
    private let authorization: HTTPSRequest.Header
    private let limit: Duration
    private let state: Mutex<State>

    private struct State {
        /// Where the host's own page is, once that is known.
        var path: String?
        /// A refused login is the last one.
        var refusal: BMCError?
    }

    /// A controller; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - host: The host it belongs to.
    ///   - site: The controller as the site file describes it.
    ///   - password: Its user's password.
    ///   - limit: The longest that one answer may take.
    ///   - addresses: What names resolved to earlier, for when DNS is down; nil asks.
    public init(
        _ host: HostName, site: BMCSite, password: Secret,
        limit: Duration = RedfishBMC.limitDefault, addresses: AddressBook? = nil
    ) {
        self.host = host
        self.limit = limit
        var options = HTTPSOptions(connectLimit: limit, addresses: addresses)
        options.bodyLimitBytes = Self.bodyLimitBytes
        let trust: HTTPSTrust =
            switch site.trust {
            case .system: .system
            case .bundle(let path): .bundle(path: path)
            case .pinned(let sha256): .pinned(sha256: sha256)
            }
        client = HTTPSClient(
            endpoint: HTTPSEndpoint(host: site.endpoint.host, port: site.endpoint.port),
            trust: trust, options: options)
        let login = Data("\(site.user):\(password.value)".utf8).base64EncodedString()
        authorization = HTTPSRequest.Header("Authorization", "Basic \(login)")
        state = Mutex(State(path: site.system.map { "\(Self.systems)/\($0)" }, refusal: nil))
    }

    /// Whether the host is off: its `PowerState` is `Off`. `PoweringOn`, `PoweringOff`, `Paused`,
    /// and what a later version may add, are not.
    ///
    /// - Throws: `badAnswer` where the controller does not know it (`null` is allowed),
    ///   `loginRefused` for ever after the first refusal.
    public func isOff() async throws(BMCError) -> Bool {
        let system: RedfishSystem = try await get(try await path())
        guard let power = system.power else {
            throw error(.badAnswer, "it does not know whether the host is on")
        }
        return power == "Off"
    }

    private func path() async throws(BMCError) -> String {
        if let known = state.withLock(\.path) { return known }
        let found: RedfishCollection = try await get(Self.systems)
        let paths = found.members.map(\.path)
        guard let path = paths.first, paths.count == 1 else {
            let names = paths.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
            throw error(
                .unclear,
                paths.isEmpty
                    ? "it has no system at all"
                    : "it has \(paths.count.counted("system")): give its `bmc` a `system`, one of "
                        + names.map(\.onOneLine).joined(separator: ", "))
        }
        guard path.hasPrefix("\(Self.systems)/"), path.utf8.allSatisfy(Self.mayBeInPath) else {
            throw error(.badAnswer, "its system is at \(String(path.prefix(80)).onOneLine)")
        }
        state.withLock { $0.path = path }
        return path
    }

    private static func mayBeInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/-._~%:@".utf8.contains(byte)
        }
    }

    private func get<Page: Decodable>(_ path: String) async throws(BMCError) -> Page {
        if let refusal = state.withLock(\.refusal) { throw refusal }
        var answer = try await send(path)
        // Some have their pages under the path with a slash at the end only.
        if answer.status == 301 || answer.status == 308, !path.hasSuffix("/"),
            answer.header("Location")?.hasSuffix("\(path)/") == true
        {
            answer = try await send("\(path)/")
        }
        switch answer.status {
        case 200: break
        case 401, 403:
            let refusal = error(
                .loginRefused, "the login was refused (status \(answer.status)); not tried again")
            state.withLock { $0.refusal = refusal }
            throw refusal
        case 404: throw error(.unclear, "it has no \(path)")
        default: throw error(.badAnswer, "status \(answer.status) for \(path): \(said(answer))")
        }
        do {
            return try JSONDecoder().decode(Page.self, from: Data(answer.body))
        } catch { throw self.error(.badAnswer, "its answer for \(path): \(said(answer))") }
    }

    private func send(_ path: String) async throws(BMCError) -> HTTPSResponse {
        let accept = HTTPSRequest.Header("Accept", "application/json")
        do {
            return try await client.send(
                HTTPSRequest(path: path, headers: [authorization, accept], timeout: limit))
        } catch {
            let reason: BMCError.Reason =
                switch error.reason {
                case .unreachable, .broken: .unreachable
                case .certificateRefused: .certificateRefused
                case .timedOut: .timedOut
                case .tooLarge: .badAnswer
                }
            throw self.error(reason, "\(error)")
        }
    }

    private func said(_ answer: HTTPSResponse) -> String {
        String(decoding: answer.body.prefix(Self.saidLengthMax), as: UTF8.self).onOneLine
    }

    private func error(_ reason: BMCError.Reason, _ detail: String) -> BMCError {
        BMCError(host: host, reason: reason, detail: detail)
    }
}

/// What is read of a `ComputerSystem`.
private struct RedfishSystem: Decodable {
    let power: String?
    enum CodingKeys: String, CodingKey { case power = "PowerState" }
}

/// What is read of a collection.
private struct RedfishCollection: Decodable {
    struct Member: Decodable {
        let path: String
        enum CodingKeys: String, CodingKey { case path = "@odata.id" }
    }

    let members: [Member]
    enum CodingKeys: String, CodingKey { case members = "Members" }
}
