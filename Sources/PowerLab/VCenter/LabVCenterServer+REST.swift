import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PowerModel

/// The part of vCenter's REST interface that knows tags, in its `/api` shape (facts/vsphere.md 2.0.3,
/// 2.1). As strict as the SOAP side: what a request may not hold is refused.
extension LabVCenterServer {
    private static let tagging = "/api/cis/tagging/"
    private static let sessionHeader = HTTPField.Name("vmware-api-session-id")

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

    /// Answers a request below `/api`.
    func answerREST(_ request: Request) async -> Response {
        restCalls += 1
        do {
            if request.uri.path == "/api/session", request.method == .post {
                return json(try restLogin(request), .created)
            }
            let key = Self.sessionHeader.flatMap { request.headers[$0] } ?? ""
            guard restSessions.contains(key) else { throw RESTRefusal.unauthenticated }
            if request.uri.path == "/api/session", request.method == .delete {
                restSessions.remove(key)
                return Response(status: .noContent)
            }
            guard request.uri.path.hasPrefix(Self.tagging) else { throw RESTRefusal.notFound }
            guard isTaggingUp else { throw RESTRefusal.unavailable }
            return json(try await answerTagging(request), .ok)
        } catch let refusal as RESTRefusal {
            return json(["error_type": refusal.type, "messages": [String]()], refusal.status)
        } catch {
            return json(
                ["error_type": "INVALID_ARGUMENT", "messages": [String]()], .badRequest)
        }
    }

    private func restLogin(_ request: Request) throws(RESTRefusal) -> String {
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        guard words.count == 2, words[0] == "Basic", let proof = Data(base64Encoded: "\(words[1])"),
            String(decoding: proof, as: UTF8.self) == "\(user):\(password)"
        else { throw .unauthenticated }
        let key = UUID().uuidString.lowercased()
        restSessions.insert(key)
        return key
    }

    private func answerTagging(_ request: Request) async throws -> Any {
        let tags = LabTags(world.vcenterSnapshot().guests)
        let what = request.uri.path.dropFirst(Self.tagging.count)
        if what == "tag-association" {
            guard request.method == .post,
                request.uri.queryParameters["action"] == "list-attached-tags-on-objects"
            else { throw RESTRefusal.notFound }
            guard request.headers[.contentType] == "application/json" else {
                throw RESTRefusal.invalidArgument
            }
            let body = try await request.body.collect(upTo: LabVCenterServer.largestRequest)
            return try attached(Data(body.readableBytesView), tags)
        }
        let parts = what.split(separator: "/")
        guard request.method == .get, parts.count == 2,
            let id = String(parts[1]).removingPercentEncoding,
            let found = parts[0] == "tag"
                ? tags.tag(id) : parts[0] == "category" ? tags.category(id) : nil
        else { throw RESTRefusal.notFound }
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

    private func json(_ value: Any, _ status: HTTPResponse.Status) -> Response {
        do {
            let data = try JSONSerialization.data(
                withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
            return text(String(decoding: data, as: UTF8.self), status, "application/json")
        } catch {
            return text("", .internalServerError, "text/plain")
        }
    }
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
