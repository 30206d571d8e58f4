import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PowerModel

/// The part of vCenter's REST interface that knows tags, in both its shapes (facts/vsphere.md
/// 2.0.3, 2.1): `/api` with bare values, `/rest` with wrapped ones. As strict as the SOAP side: what
/// a request may not hold is refused.
extension LabVCenterServer {
    private static let listAttached = "list-attached-tags-on-objects"

    /// A refusal, by the name that `error_type` gives it.
    private struct RESTRefusal: Error {
        let type: String
        let status: HTTPResponse.Status

        static let unauthenticated = RESTRefusal(type: "UNAUTHENTICATED", status: .unauthorized)
        static let invalidArgument = RESTRefusal(type: "INVALID_ARGUMENT", status: .badRequest)
        static let notFound = RESTRefusal(type: "NOT_FOUND", status: .notFound)
        static let unavailable = RESTRefusal(
            type: "SERVICE_UNAVAILABLE", status: .serviceUnavailable)
    }

    /// Answers a request below `/api` or `/rest`.
    func answerREST(_ request: Request) async -> Response {
        restCalls += 1
        let shape = LabRESTShape(request.uri.path)
        guard shape == .rest ? release.hasREST : release.hasAPI else {
            return text("", .notFound, "text/plain")
        }
        let path = String(request.uri.path.dropFirst(shape.prefix.count))
        do {
            if path == shape.session, request.method == .post {
                return json(try restLogin(request), shape == .api ? .created : .ok, shape)
            }
            let key = Self.sessionHeader.flatMap { request.headers[$0] } ?? ""
            guard restSessions.contains(key) else { throw RESTRefusal.unauthenticated }
            if path == shape.session, request.method == .delete {
                restSessions.remove(key)
                return Response(status: shape == .api ? .noContent : .ok)
            }
            guard path.hasPrefix(shape.tagging) else { throw RESTRefusal.notFound }
            guard isTaggingUp else { throw RESTRefusal.unavailable }
            let what = String(path.dropFirst(shape.tagging.count))
            return json(try await answerTagging(what, request, shape), .ok, shape)
        } catch {
            let refusal = error as? RESTRefusal ?? .invalidArgument
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
    }

    private func restLogin(_ request: Request) throws(RESTRefusal) -> String {
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

    private func answerTagging(
        _ what: String, _ request: Request, _ shape: LabRESTShape
    ) async throws -> Any {
        let tags = LabTags(world.vcenterSnapshot().guests)
        if what == "tag-association" {
            guard request.method == .post,
                request.uri.queryParameters[Substring(shape.action)].map(String.init)
                    == Self.listAttached
            else { throw RESTRefusal.notFound }
            guard request.headers[.contentType] == "application/json" else {
                throw RESTRefusal.invalidArgument
            }
            let body = try await request.body.collect(upTo: LabVCenterServer.largestRequest)
            return try attached(Data(body.readableBytesView), tags)
        }
        let parts = what.split(separator: "/")
        guard request.method == .get, parts.count == 2,
            let id = String(parts[1]).removingPercentEncoding, id.hasPrefix(shape.idPrefix)
        else { throw RESTRefusal.notFound }
        let name = String(id.dropFirst(shape.idPrefix.count))
        let found =
            parts[0] == "tag"
            ? tags.tag(name) : parts[0] == "category" ? tags.category(name) : nil
        guard let found else { throw RESTRefusal.notFound }
        return found
    }

    private func attached(_ body: Data, _ tags: LabTags) throws -> Any {
        guard let members = try JSONSerialization.jsonObject(with: body) as? [String: Any],
            members.count == 1, let objects = members["object_ids"] as? [[String: String]]
        else { throw RESTRefusal.invalidArgument }
        return try objects.map { object in
            guard object.count == 2, let id = object["id"], let type = object["type"] else {
                throw RESTRefusal.invalidArgument
            }
            return [
                "object_id": ["id": id, "type": type],
                "tag_ids": tags.attached[VimReference(type, id)] ?? [],
            ]
        }
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
private enum LabRESTShape {
    case api, rest

    init(_ path: String) { self = path.hasPrefix("/rest/") ? .rest : .api }

    var prefix: String { self == .api ? "/api/" : "/rest/" }
    var session: String { self == .api ? "session" : "com/vmware/cis/session" }
    var tagging: String { self == .api ? "cis/tagging/" : "com/vmware/cis/tagging/" }
    var action: String { self == .api ? "action" : "~action" }
    var idPrefix: String { self == .api ? "" : "id:" }
}

/// Tags and categories, with identities as vCenter makes them.
private struct LabTags {
    let attached: [VimReference: [String]]
    private let names: [String]

    init(_ guests: [LabSnapshot.Guest]) {
        let names = Set(guests.flatMap(\.spec.labels.tags)).sorted()
        self.names = names
        attached = Dictionary(
            guests.map { guest in
                (guest.reference, guest.spec.labels.tags.map { Self.identity("Tag", of: $0) })
            }, uniquingKeysWith: { first, _ in first })
    }

    /// `urn:vmomi:InventoryServiceTag:<a UUID>:GLOBAL`; here the name's own bytes stand for it.
    private static func identity(_ kind: String, of name: String) -> String {
        let digits = name.utf8.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        return "urn:vmomi:InventoryService\(kind):\(digits):GLOBAL"
    }

    private static func parts(_ name: String) -> (category: String, tag: String) {
        guard let slash = name.firstIndex(of: "/") else { return ("", name) }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }

    func tag(_ id: String) -> [String: Any]? {
        names.first { Self.identity("Tag", of: $0) == id }.map { name in
            let parts = Self.parts(name)
            return [
                "id": id, "name": parts.tag, "description": "",
                "category_id": Self.identity("Category", of: parts.category),
                "used_by": [String](),
            ]
        }
    }

    func category(_ id: String) -> [String: Any]? {
        names.map { Self.parts($0).category }
            .first { Self.identity("Category", of: $0) == id }.map { name in
                [
                    "id": id, "name": name, "description": "", "cardinality": "MULTIPLE",
                    "associable_types": [String](), "used_by": [String](),
                ]
            }
    }
}
