import FoundationEssentials

/// The two shapes of vCenter's REST interface (facts/vsphere.md 1.1, 2.0.3).
enum RESTShape: Hashable, CaseIterable, Sendable {
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

    /// Where one logs in and out.
    var session: String {
        switch self {
        case .api: "/api/session"
        case .rest: "/rest/com/vmware/cis/session"
        }
    }
}

/// Every call to the REST interface beside login and logout. What is not here cannot be sent.
enum RESTCall: Hashable, Sendable {
    /// What is done to a guest's power (facts/vsphere.md 2.7).
    enum Power: String, CaseIterable, Sendable {
        case start, stop, suspend
    }

    /// The tags of these objects.
    case attachedTags(of: [Reference])
    /// One tag, or category, by its identity.
    case tag(String)
    case category(String)
    /// A guest's Tools are asked to shut it down, or whether they answer.
    case shutDownGuest(String)
    case guestState(String)
    /// A guest's power is switched.
    case power(Power, of: String)
    /// vCenter's own appliance is shut down, or whether it may be looked at.
    case shutDownAppliance(reason: String)
    case applianceState

    var method: String {
        switch self {
        case .tag, .category, .guestState, .applianceState: "GET"
        case .attachedTags, .shutDownGuest, .power, .shutDownAppliance: "POST"
        }
    }

    func path(in shape: RESTShape) -> String {
        switch (self, shape) {
        case (.attachedTags, .api):
            "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects"
        case (.attachedTags, .rest):
            "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags-on-objects"
        case (.tag(let id), _): Self.tagging("tag", id, shape)
        case (.category(let id), _): Self.tagging("category", id, shape)
        case (.shutDownGuest(let vm), _):
            "\(Self.guest(vm, shape))/guest/power?action=shutdown"
        case (.guestState(let vm), _): "\(Self.guest(vm, shape))/guest/power"
        case (.power(let power, let vm), .api):
            "\(Self.guest(vm, shape))/power?action=\(power.rawValue)"
        case (.power(let power, let vm), .rest):
            "\(Self.guest(vm, shape))/power/\(power.rawValue)"
        case (.shutDownAppliance, .api): "/api/appliance/shutdown?action=poweroff"
        case (.shutDownAppliance, .rest): "/rest/appliance/shutdown/poweroff"
        case (.applianceState, .api): "/api/appliance/shutdown"
        case (.applianceState, .rest): "/rest/appliance/shutdown"
        }
    }

    private static func tagging(_ kind: String, _ id: String, _ shape: RESTShape) -> String {
        switch shape {
        case .api: "/api/cis/tagging/\(kind)/\(URLText.segment(id))"
        case .rest: "/rest/com/vmware/cis/tagging/\(kind)/id:\(URLText.segment(id))"
        }
    }

    private static func guest(_ vm: String, _ shape: RESTShape) -> String {
        "/\(shape == .api ? "api" : "rest")/vcenter/vm/\(URLText.segment(vm))"
    }

    /// The same in both shapes; nil where there is none.
    func body() throws(CallFailure) -> [UInt8]? {
        switch self {
        case .attachedTags(let objects):
            try Self.encoded(
                RESTObjects(objectIds: objects.map { RESTObject(id: $0.id, type: $0.kind) }))
        case .shutDownAppliance(let reason):
            // At once: what is still to be done waits for it.
            try Self.encoded(RESTShutdown(delay: 0, reason: reason))
        case .tag, .category, .shutDownGuest, .guestState, .power, .applianceState: nil
        }
    }

    private static func encoded(_ value: some Encodable) throws(CallFailure) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do { return Array(try encoder.encode(value)) } catch {
            throw .refused("the request cannot be written as JSON")
        }
    }
}

// On the wire their members have underscores: `object_ids`.

private struct RESTObjects: Encodable { var objectIds: [RESTObject] }

private struct RESTShutdown: Encodable {
    /// In minutes.
    var delay: Int
    var reason: String
}

struct RESTWrapped<Value: Decodable>: Decodable { var value: Value }

struct RESTObject: Codable {
    var id: String
    var type: String
}

struct RESTAttached: Decodable {
    var objectId: RESTObject
    var tagIds: [String]?
}

struct RESTTag: Decodable, Sendable {
    var name: String
    var categoryId: String
}

struct RESTCategory: Decodable, Sendable { var name: String }

struct RESTGuestState: Decodable, Sendable {
    /// Whether Tools answer.
    var operationsReady: Bool
}
