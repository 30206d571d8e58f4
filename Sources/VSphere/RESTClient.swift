import FoundationEssentials
import PowerRun
import Synchronization
import Transport

/// Sends calls to vCenter's REST interface and keeps one login of its own: up to 8.0U2 it is not
/// the one of vim25 (facts/vsphere.md 1.5).
final class RESTClient: Sendable {
    private struct Login: Sendable {
        var generation: Int
        var shape: RESTShape
        var id: String
        var header: HTTPSRequest.Header { .init("vmware-api-session-id", id) }
    }

    private let https: HTTPSClient
    private let user: String
    private let password: String
    private let logins = LoginState<Login>()
    private let refusal = Mutex<(failure: CallFailure, ends: ContinuousClock.Instant)?>(nil)

    init(https: HTTPSClient, user: String, password: String) {
        self.https = https
        self.user = user
        self.password = password
    }

    /// Nobody waits longer for a logout.
    private static let logoutLimit: Duration = .seconds(5)
    /// After a refused login the next one waits so long: vCenter locks an account after five
    /// refusals in three minutes, and with it the login of vim25, which has the same password.
    private static let refusalHolds: Duration = .seconds(300)

    /// One call; the body of its answer. When vCenter has forgotten the session, logs in once more
    /// and makes it again.
    func send(
        _ call: RESTCall, in shape: RESTShape, until deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> [UInt8] {
        let login = try await login(shape, after: nil, deadline)
        do throws(CallFailure) {
            return try await send(call, login, deadline)
        } catch {
            guard case .rest(let fault) = error, fault.isUnauthenticated else { throw error }
        }
        return try await send(
            call, try await self.login(shape, after: login.generation, deadline), deadline)
    }

    /// The same, for what is answered with a value.
    func value<Value: Decodable>(
        _ call: RESTCall, in shape: RESTShape, until deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> Value {
        try Self.decoded(try await send(call, in: shape, until: deadline), shape)
    }

    private func send(
        _ call: RESTCall, _ login: Login, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> [UInt8] {
        let path = call.path(in: login.shape)
        let body = try call.body()
        var headers = [login.header]
        if body != nil { headers.append(.init("Content-Type", "application/json")) }
        return try await send(
            HTTPSRequest(
                method: call.method, path: path, headers: headers,
                body: body ?? (call.method == "POST" ? [] : nil),
                timeout: try Self.left(until: deadline)))
    }

    private func send(_ request: HTTPSRequest) async throws(CallFailure) -> [UInt8] {
        let answer: HTTPSResponse
        do { answer = try await https.send(request) } catch { throw .transport(error) }
        if (200..<300).contains(answer.status) { return answer.body }
        if let fault = RESTFault(answer.body) { throw .rest(fault) }
        throw .restUnusable(
            "\(request.method) \(request.path) was answered with HTTP status \(answer.status)")
    }

    private static func left(
        until deadline: ContinuousClock.Instant
    ) throws(CallFailure) -> Duration {
        let left = deadline - .now
        guard left > .zero else { throw .timedOut("the limit for it is spent") }
        return left
    }

    // MARK: Sessions

    /// A login newer than `generation`. Several callers share one.
    private func login(
        _ shape: RESTShape, after generation: Int?, _ deadline: ContinuousClock.Instant
    ) async throws(CallFailure) -> Login {
        if let refusal = refusal.withLock({ $0 }), ContinuousClock.now < refusal.ends {
            throw refusal.failure
        }
        let limit = try Self.left(until: deadline)
        let attempt = try logins.attempt(after: generation) { next in
            Task { await self.logIn(shape, generation: next, within: limit) }
        }
        let result = await attempt.value
        if case .failure = result { logins.forget(attempt) }
        return try result.get()
    }

    private func logIn(
        _ shape: RESTShape, generation: Int, within limit: Duration
    ) async -> Result<Login, CallFailure> {
        let proof = Data("\(user):\(password)".utf8).base64EncodedString()
        do throws(CallFailure) {
            let body = try await send(
                HTTPSRequest(
                    method: "POST", path: shape.session,
                    headers: [.init("Authorization", "Basic \(proof)")], body: [],
                    timeout: limit))
            return .success(
                Login(
                    generation: generation, shape: shape, id: try Self.decoded(body, shape)))
        } catch {
            guard case .rest(let fault) = error else { return .failure(error) }
            // The login of vim25 was accepted: this is no reason to take the password for wrong.
            let failure = CallFailure.restUnusable(
                "the REST login was answered with \(fault.description)")
            if fault.isUnauthenticated || fault.reason == .notPermitted {
                refusal.withLock { $0 = (failure, .now + Self.refusalHolds) }
            }
            return .failure(failure)
        }
    }

    /// Lets nobody log in any more.
    func closeLogins() { logins.close() }

    /// Logs out, if logged in. What cannot be logged out expires by itself.
    func logOut() async {
        guard let attempt = logins.end(), case .success(let login) = await attempt.value else {
            return
        }
        do throws(CallFailure) {
            _ = try await send(
                HTTPSRequest(
                    method: "DELETE", path: login.shape.session, headers: [login.header],
                    timeout: Self.logoutLimit))
        } catch {
            // The server drops idle sessions; there is nobody who could do more.
        }
    }

    // MARK: JSON

    static func decoded<Value: Decodable>(
        _ body: [UInt8], _ shape: RESTShape
    ) throws(CallFailure) -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            let data = Data(body)
            switch shape {
            case .api: return try decoder.decode(Value.self, from: data)
            case .rest: return try decoder.decode(RESTWrapped<Value>.self, from: data).value
            }
        } catch {
            throw .restUnusable("a REST call was answered with JSON of another form")
        }
    }
}
