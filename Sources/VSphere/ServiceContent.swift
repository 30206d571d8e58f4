public import PowerModel

/// What `RetrieveServiceContent` says: who answers, and where its managers are. The identities
/// are always read, never assumed (facts/vsphere.md 2.2).
struct ServiceContent: Hashable, Sendable {
    /// Who answers.
    var about: VCenterAbout
    /// The root of the inventory.
    var rootFolder: Reference
    /// The collector everybody shares.
    var propertyCollector: Reference
    /// Makes container views.
    var viewManager: Reference
    /// Logs in and out.
    var sessionManager: Reference
    /// vCenter's advanced settings.
    var setting: Reference
    /// Knows who may do what; nil where it does not say.
    var authorizationManager: Reference?
    /// Knows the key providers; nil where there is none.
    var cryptoManager: Reference?
    /// Knows the names of custom attributes; nil where there are none.
    var customFieldsManager: Reference?

    init(reply: Element) throws(CallFailure) {
        guard let content = reply["returnval"], let about = content["about"] else {
            throw .unreadable("to RetrieveServiceContent has no content")
        }
        func manager(_ name: String) throws(CallFailure) -> Reference {
            guard let reference = content[name]?.reference else {
                throw .unreadable("to RetrieveServiceContent has no \(name)")
            }
            return reference
        }
        self.about = VCenterAbout(
            name: about["fullName"]?.text ?? about["name"]?.text ?? "",
            version: about["version"]?.text ?? "",
            apiVersion: about["apiVersion"]?.text ?? "", apiType: about["apiType"]?.text ?? "",
            instanceUUID: about["instanceUuid"]?.text.lowercased())
        rootFolder = try manager("rootFolder")
        propertyCollector = try manager("propertyCollector")
        viewManager = try manager("viewManager")
        sessionManager = try manager("sessionManager")
        setting = try manager("setting")
        authorizationManager = content["authorizationManager"]?.reference
        cryptoManager = content["cryptoManager"]?.reference
        customFieldsManager = content["customFieldsManager"]?.reference
    }
}

/// Who answers at a vCenter's address (`AboutInfo`).
public struct VCenterAbout: Hashable, Sendable {
    /// E.g. `VMware vCenter Server 8.0.3 build-24022515`.
    public var name: String
    /// E.g. `8.0.3`.
    public var version: String
    /// E.g. `8.0.3.0`: it tells updates apart, which `version` does not before 7.0.
    public var apiVersion: String
    /// `VirtualCenter`, or `HostAgent` for an ESXi host.
    public var apiType: String
    /// The service's own identity: not that of the guest it runs in. nil when it gives none.
    public var instanceUUID: String?
}

/// How a session with a vCenter talks.
public struct VCenterLogin: Hashable, Sendable {
    /// Who answers.
    public var about: VCenterAbout
    /// The form that is used: SOAP also where JSON was asked for and is not there.
    public var transport: VCenterTransport
    /// The vim25 version that both sides know, e.g. `8.0.3.0`.
    public var apiVersion: String
}

/// The vim25 version a session speaks, chosen from what the server offers.
enum APIVersion {
    /// What vpower knows, newest first (facts/vsphere.md 1.2). Newer servers list these among
    /// their prior versions.
    static let known = [
        "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.2", "8.0.0.1", "8.0.0.0", "7.0.3.2", "7.0.3.1",
        "7.0.3.0", "7.0.2.1", "7.0.2.0", "7.0.1.1", "7.0.1.0", "7.0.0.2", "7.0.0.0", "6.7.3",
        "6.7.2", "6.7.1", "6.7", "6.5",
    ]

    /// Whether a version is older than another; one that is newer than vpower itself is not.
    static func isOlder(_ version: String, than other: String) -> Bool {
        let (left, right) = (numbers(of: version), numbers(of: other))
        return left.lexicographicallyPrecedes(right)
    }

    private static func numbers(of version: String) -> [Int] {
        version.split(separator: ".").map { Int($0) ?? 0 }
    }

    /// The first that has VI JSON (facts/vsphere.md 1.1): vCenter 8.0U1.
    static let firstJSON = "8.0.1.0"

    /// Those of `known` that are not older than this one.
    static func known(from first: String) -> [String] {
        known.firstIndex(of: first).map { Array(known[...$0]) } ?? []
    }

    /// The newest version both sides know, from `/sdk/vimServiceVersions.xml`.
    static func choose(_ offered: [UInt8]) throws(CallFailure) -> String {
        let root: Element
        do {
            root = try ReplyReader.root(of: offered)
        } catch {
            throw .unreadable("of /sdk/vimServiceVersions.xml \(error)")
        }
        let vim = root.all("namespace").first { $0["name"]?.text == "urn:vim25" }
        guard root.name == "namespaces", let vim else {
            throw .unreadable("of /sdk/vimServiceVersions.xml does not speak of urn:vim25")
        }
        let versions =
            vim.all("version").map(\.text)
            + (vim["priorVersions"]?.all("version").map(\.text) ?? [])
        guard let best = known.first(where: versions.contains) else {
            throw .unreadable(
                "offers only the API versions \(versions.joined(separator: ", ")); vpower knows "
                    + "\(known[known.count - 1]) to \(known[0])")
        }
        return best
    }
}
