import FoundationEssentials
import Synchronization
import Transport

/// Reads the tags of guests. vim25 has none of them: they are in vCenter's REST interface, which
/// has logins of its own (facts/vsphere.md 1.5) and, by release, one of two shapes.
struct TagReader: Sendable {
    let https: HTTPSClient
    let user: String
    let password: String
    let limits: VCenterLimits
    private let open = OpenRESTSessions()

    init(https: HTTPSClient, user: String, password: String, limits: VCenterLimits) {
        self.https = https
        self.user = user
        self.password = password
        self.limits = limits
    }

    /// Logs out of whatever a reading that is under way has logged in to: it is called off.
    func logOut() async {
        for session in open.all { await logOut(session) }
    }

    /// Objects in one request.
    private static let batch = 500
    /// Requests for single tags that are under way at the same time.
    private static let width = 8
    /// Nobody waits longer for a logout.
    private static let logoutLimit: Duration = .seconds(5)

    /// The tags of these guests as `category/name`; guests without any are left out.
    ///
    /// - Parameter apiVersion: the vim25 version of the same server's SOAP session.
    func tags(
        of vms: [Reference], apiVersion: String
    ) async throws(CallFailure) -> [Reference: [String]] {
        let deadline = ContinuousClock.now + limits.tags
        let shape = RESTShape(apiVersion: apiVersion)
        let session = try await logIn(shape, deadline)
        open.add(session)
        let result: Result<[Reference: [String]], CallFailure>
        do throws(CallFailure) {
            result = .success(try await tags(of: vms, session, deadline))
        } catch { result = .failure(error) }
        // Also when the caller was cancelled: its own requests would be.
        await Task { await logOut(session) }.value
        return try result.get()
    }

    private func tags(
        of vms: [Reference], _ session: RESTSession, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> [Reference: [String]] {
        var attached: [Reference: [String]] = [:]
        for start in stride(from: 0, to: vms.count, by: Self.batch) {
            let part = vms[start..<min(start + Self.batch, vms.count)]
            for (vm, tags) in try await attachedTags(to: part, session, deadline) {
                attached[vm] = tags
            }
        }
        let ids = Set(attached.values.joined())
        let tags: [String: RESTTag] = try await each(ids) { id throws(CallFailure) in
            try await self.get(session.shape.tag(id), session, deadline)
        }
        let categories: [String: RESTCategory] = try await each(Set(tags.values.map(\.categoryId)))
        { id throws(CallFailure) in
            try await self.get(session.shape.category(id), session, deadline)
        }
        return attached.mapValues { ids in
            ids.compactMap { id in
                // One that was deleted meanwhile is no longer attached.
                guard let tag = tags[id], let category = categories[tag.categoryId] else {
                    return nil
                }
                return "\(category.name)/\(tag.name)"
            }
        }
    }

    private func attachedTags(
        to vms: ArraySlice<Reference>, _ session: RESTSession, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> [Reference: [String]] {
        let asked = RESTObjects(objectIds: vms.map { RESTObject(id: $0.id, type: $0.kind) })
        let answer = try await send(
            "POST", session.shape.attachedTags, session, body: try Self.encoded(asked), deadline)
        let found: [RESTAttached] = try Self.decoded(answer.body, session.shape)
        let wanted = Set(vms)
        var attached: [Reference: [String]] = [:]
        for object in found {
            let vm = Reference(kind: object.objectId.type, id: object.objectId.id)
            if wanted.contains(vm), let tags = object.tagIds, !tags.isEmpty { attached[vm] = tags }
        }
        return attached
    }

    /// Asks for each of these, a few at a time; those that are gone are left out.
    private func each<Value: Sendable>(
        _ ids: Set<String>,
        _ ask: @escaping @Sendable (String) async throws(CallFailure) -> Value?
    ) async throws(CallFailure) -> [String: Value] {
        let all = ids.sorted()
        var found: [String: Value] = [:]
        for start in stride(from: 0, to: all.count, by: Self.width) {
            let part = all[start..<min(start + Self.width, all.count)]
            let results = await withTaskGroup(of: (String, Result<Value?, CallFailure>).self) {
                group in
                for id in part {
                    group.addTask {
                        do throws(CallFailure) { return (id, .success(try await ask(id))) } catch {
                            return (id, .failure(error))
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (id, result) in results { found[id] = try result.get() }
        }
        return found
    }

    // MARK: Requests

    private func logIn(
        _ shape: RESTShape, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> RESTSession {
        let proof = Data("\(user):\(password)".utf8).base64EncodedString()
        let answer = try await send(
            HTTPSRequest(
                method: "POST", path: shape.session,
                headers: [.init("Authorization", "Basic \(proof)")], body: [],
                timeout: try Self.left(until: deadline)))
        guard answer.status == 200 || answer.status == 201 else {
            throw .refused("the REST login was answered with \(Self.problem(answer))")
        }
        return RESTSession(shape: shape, id: try Self.decoded(answer.body, shape))
    }

    private func logOut(_ session: RESTSession) async {
        guard open.remove(session) else { return }
        do throws(CallFailure) {
            _ = try await send(
                HTTPSRequest(
                    method: "DELETE", path: session.shape.session, headers: [session.header],
                    timeout: Self.logoutLimit))
        } catch {
            // The server drops idle sessions; there is nobody who could do more.
        }
    }

    /// A value, or nil where there is none (any more).
    private func get<Value: Decodable>(
        _ path: String, _ session: RESTSession, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> Value? {
        let answer = try await send("GET", path, session, accepting: [200, 404], deadline)
        return answer.status == 404 ? nil : try Self.decoded(answer.body, session.shape)
    }

    private func send(
        _ method: String, _ path: String, _ session: RESTSession, body: [UInt8]? = nil,
        accepting statuses: Set<Int> = [200], _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> HTTPSResponse {
        var headers = [session.header]
        if body != nil { headers.append(.init("Content-Type", "application/json")) }
        let answer = try await send(
            HTTPSRequest(
                method: method, path: path, headers: headers, body: body,
                timeout: try Self.left(until: deadline)))
        guard statuses.contains(answer.status) else {
            throw .refused("\(method) \(path) was answered with \(Self.problem(answer))")
        }
        return answer
    }

    private func send(_ request: HTTPSRequest) async throws(CallFailure) -> HTTPSResponse {
        do { return try await https.send(request) } catch { throw .transport(error) }
    }

    private static func left(
        until deadline: ContinuousClock.Instant
    ) throws(CallFailure) -> Duration {
        let left = deadline - .now
        guard left > .zero else { throw .timedOut("the limit for reading tags is spent") }
        return left
    }

    // MARK: JSON

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    private static func encoded(_ value: some Encodable) throws(CallFailure) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do { return Array(try encoder.encode(value)) } catch {
            throw .refused("the request cannot be written as JSON")
        }
    }

    static func decoded<Value: Decodable>(
        _ body: [UInt8], _ shape: RESTShape
    ) throws(CallFailure) -> Value {
        do {
            let data = Data(body)
            switch shape {
            case .api: return try decoder.decode(Value.self, from: data)
            case .rest: return try decoder.decode(RESTWrapped<Value>.self, from: data).value
            }
        } catch {
            throw .unreadable("to a question about tags is not the JSON that is expected")
        }
    }

    /// What an error says of itself: its type rather than its status (facts/vsphere.md 2.0.3).
    static func problem(_ answer: HTTPSResponse) -> String {
        var text = "HTTP status \(answer.status)"
        do {
            let error = try decoder.decode(RESTError.self, from: Data(answer.body))
            if let type = error.errorType ?? error.type { text += " \(type)" }
        } catch {
            // A proxy's words, not vCenter's.
        }
        return text
    }
}

/// The two shapes of vCenter's REST interface (facts/vsphere.md 1.1, 2.0.3).
enum RESTShape: Hashable, Sendable {
    /// `/api`, complete from 7.0U2 on: bare values.
    case api
    /// `/rest`: values wrapped.
    case rest

    /// The one that a server of this vim25 version has in full.
    init(apiVersion: String) {
        let versions = APIVersion.known
        let first = versions.firstIndex(of: "7.0.2.0") ?? 0
        self = (versions.firstIndex(of: apiVersion) ?? versions.count) <= first ? .api : .rest
    }

    var session: String {
        switch self {
        case .api: "/api/session"
        case .rest: "/rest/com/vmware/cis/session"
        }
    }

    var attachedTags: String {
        switch self {
        case .api: "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects"
        case .rest:
            "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags-on-objects"
        }
    }

    func tag(_ id: String) -> String { item("tag", id) }
    func category(_ id: String) -> String { item("category", id) }

    private func item(_ kind: String, _ id: String) -> String {
        switch self {
        case .api: "/api/cis/tagging/\(kind)/\(URLText.segment(id))"
        case .rest: "/rest/com/vmware/cis/tagging/\(kind)/id:\(URLText.segment(id))"
        }
    }
}

/// A login to the REST interface.
private struct RESTSession: Sendable {
    var shape: RESTShape
    var id: String
    var header: HTTPSRequest.Header { .init("vmware-api-session-id", id) }
}

// On the wire their members have underscores: `object_ids`.

struct RESTWrapped<Value: Decodable>: Decodable { var value: Value }

struct RESTObject: Codable {
    var id: String
    var type: String
}

private struct RESTObjects: Encodable { var objectIds: [RESTObject] }

struct RESTAttached: Decodable {
    var objectId: RESTObject
    var tagIds: [String]?
}

struct RESTTag: Decodable, Sendable {
    var name: String
    var categoryId: String
}

struct RESTCategory: Decodable, Sendable { var name: String }

private struct RESTError: Decodable {
    var errorType: String?
    var type: String?
}

/// The REST sessions that are open: a process that ends logs out of them.
private final class OpenRESTSessions: Sendable {
    private let sessions = Mutex<[RESTSession]>([])

    var all: [RESTSession] { sessions.withLock { $0 } }

    func add(_ session: RESTSession) { sessions.withLock { $0.append(session) } }

    /// Whether it was open: somebody else logs out of it otherwise.
    func remove(_ session: RESTSession) -> Bool {
        sessions.withLock { sessions in
            guard let place = sessions.firstIndex(where: { $0.id == session.id }) else {
                return false
            }
            sessions.remove(at: place)
            return true
        }
    }
}
