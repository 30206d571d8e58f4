import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PowerModel

/// vCenter's REST interface, in both its shapes (facts/vsphere.md 2.0.3, 2.1): `/api` with bare
/// values, `/rest` with wrapped ones. As strict as the SOAP side: what a request may not hold is
/// refused.
extension LabVCenterServer {
    /// A refusal, by the name that `error_type` gives it.
    struct RESTRefusal: Error {
        let type: String
        let status: HTTPResponse.Status

        static let unauthenticated = RESTRefusal(type: "UNAUTHENTICATED", status: .unauthorized)
        static let unauthorized = RESTRefusal(type: "UNAUTHORIZED", status: .forbidden)
        static let invalidArgument = RESTRefusal(type: "INVALID_ARGUMENT", status: .badRequest)
        static let notFound = RESTRefusal(type: "NOT_FOUND", status: .notFound)
        static let unavailable = RESTRefusal(
            type: "SERVICE_UNAVAILABLE", status: .serviceUnavailable)
    }

    /// What a call is answered with; nil where there is nothing to say.
    typealias RESTValue = Any?

    /// Answers a request below `/api` or `/rest`.
    func answerREST(_ request: Request) async -> Response {
        restCalls += 1
        let shape = LabRESTShape(request.uri.path)
        guard shape == .rest ? release.hasREST : release.hasAPI else {
            return text("", .notFound, "text/plain")
        }
        guard isRESTUp else {
            return text("no healthy upstream", .serviceUnavailable, "text/plain")
        }
        let path = String(request.uri.path.dropFirst(shape.prefix.count))
        do {
            if path == shape.session, request.method == .post {
                return json(try restLogin(request), shape == .api ? .created : .ok, shape)
            }
            let key = Self.sessionHeader.flatMap { request.headers[$0] } ?? ""
            guard restSessions.contains(key) else { throw RESTRefusal.unauthenticated }
            let isVoid = shape == .api ? HTTPResponse.Status.noContent : .ok
            if path == shape.session, request.method == .delete {
                restSessions.remove(key)
                return Response(status: isVoid)
            }
            guard let value = try await answer(path, request, shape) else {
                return Response(status: isVoid)
            }
            return json(value, .ok, shape)
        } catch {
            return refuse(error as? RESTRefusal ?? .invalidArgument, shape)
        }
    }

    private func answer(
        _ path: String, _ request: Request, _ shape: LabRESTShape
    ) async throws -> RESTValue {
        if path.hasPrefix(shape.tagging) {
            guard isTaggingUp else { throw RESTRefusal.unavailable }
            return try await answerTagging(
                String(path.dropFirst(shape.tagging.count)), request, shape)
        }
        if path.hasPrefix(Self.guests) {
            return try await answerPower(
                String(path.dropFirst(Self.guests.count)), request, shape)
        }
        return try await answerAppliance(path, request, shape)
    }

    private static let guests = "vcenter/vm/"

    private func refuse(_ refusal: RESTRefusal, _ shape: LabRESTShape) -> Response {
        var members: [String: Any] = ["messages": [String]()]
        if shape == .api { members["error_type"] = refusal.type }
        return json(
            shape == .api
                ? members
                : [
                    "type": "com.vmware.vapi.std.errors." + refusal.type.lowercased(),
                    "value": members,
                ],
            refusal.status, .api)
    }

    private func restLogin(_ request: Request) throws(RESTRefusal) -> String {
        restLogins += 1
        guard !refusesRESTLogins else { throw .unauthenticated }
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        guard words.count == 2, words[0] == "Basic", let proof = Data(base64Encoded: "\(words[1])"),
            case let both = String(decoding: proof, as: UTF8.self),
            let colon = both.firstIndex(of: ":"),
            account.accepts(
                user: String(both[..<colon]), password: String(both[both.index(after: colon)...]))
        else { throw .unauthenticated }
        let key = UUID().uuidString.lowercased()
        restSessions.insert(key)
        return key
    }

    private func json(
        _ value: Any, _ status: HTTPResponse.Status, _ shape: LabRESTShape
    ) -> Response {
        do {
            let data = try JSONSerialization.data(
                withJSONObject: shape == .api ? value : ["value": value],
                options: [.fragmentsAllowed, .sortedKeys])
            return text(String(decoding: data, as: UTF8.self), status, "application/json")
        } catch {
            return text("", .internalServerError, "text/plain")
        }
    }
}

/// How one of the two shapes says the same.
enum LabRESTShape {
    case api, rest

    init(_ path: String) { self = path.hasPrefix("/rest/") ? .rest : .api }

    var prefix: String { self == .api ? "/api/" : "/rest/" }
    var session: String { self == .api ? "session" : "com/vmware/cis/session" }
    var tagging: String { self == .api ? "cis/tagging/" : "com/vmware/cis/tagging/" }
    var action: String { self == .api ? "action" : "~action" }
    var idPrefix: String { self == .api ? "" : "id:" }
}
