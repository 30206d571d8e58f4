import Foundation
import Hummingbird
import NIOCore
import PowerModel

/// The tagging service.
extension LabVCenterServer {
    private static let listAttached = "list-attached-tags-on-objects"

    /// Answers what is asked below `tagging`.
    func answerTagging(
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
