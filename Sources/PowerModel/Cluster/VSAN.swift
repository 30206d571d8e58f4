/// How a whole vSAN cluster is shut down and started: its hosts must not go one by one, since the
/// last ones would lose their storage (facts/vsphere.md 2.16).
public enum VSANWay: String, Hashable, Codable, Sendable {
    /// vCenter does it (`PerformClusterPowerAction`, from 7.0U3): vCSA, where it is in the cluster,
    /// and the hosts too. Its calls are the vendor's own; how they behave was never seen on a real
    /// cluster.
    case wizard
    /// vpower does it through the hosts' shells: `reboot_helper.py` on one host, while all of them
    /// keep their list of members (from 6.7U3). From the vendor's own scripts; never run on a
    /// real cluster.
    case manual

    /// The first release whose vCenter and hosts have the wizard: 7.0U3.
    public static let wizardSince = VersionNumber([7, 0, 3])
    /// The first release whose hosts have `reboot_helper.py`: 6.7U3.
    public static let helperSince = VersionNumber([6, 7, 3])

    /// How such a cluster goes down: by vCenter where it and every host can; nil without vSAN.
    public init?(for cluster: ClusterSnapshot) {
        if !cluster.hasVSAN { return nil }
        let releases = [cluster.apiVersion] + cluster.inventory.hosts.map(\.apiVersion)
        self =
            releases.allSatisfy { $0.map { $0 >= Self.wizardSince } ?? false } ? .wizard : .manual
    }
}

/// How far vCenter has come with a vSAN cluster's power.
public enum VSANPower: Hashable, Sendable {
    /// The cluster is on.
    case on
    /// All of it is off: it waits to be powered on.
    case off
    /// On its way to either, with how vCenter calls that and what went wrong, if anything did.
    case changing(String, problem: String?)
    /// vCenter does not know.
    case unknown

    /// What vCenter calls it (`currentClusterPowerStatus`).
    public init(status: String, problem: String?) {
        switch status {
        case "clusterPoweredOn": self = .on
        case "", "ClusterPowerStatus_Unknown": self = .unknown
        case "hostsPoweredOff", "clusterPoweredOff": self = .off
        default: self = .changing(status, problem: problem)
        }
    }
}

/// What one host of a vSAN cluster says of it (`esxcli vsan cluster get`).
public struct VSANMembership: Hashable, Sendable {
    /// How many hosts it sees in the cluster, with itself.
    public var members: Int
    /// Whether it finds itself healthy.
    public var isHealthy: Bool

    /// What it says.
    public init(members: Int, isHealthy: Bool) {
        self.members = members
        self.isHealthy = isHealthy
    }
}

/// The release of a vCenter or host, as its `about.apiVersion` says it: `7.0.3.0`, `6.7.3`.
public struct VersionNumber: Hashable, Codable, Sendable, Comparable, CustomStringConvertible {
    private let parts: [Int]

    /// A version of these numbers.
    public init(_ parts: [Int]) { self.parts = parts }

    /// As it is written; nil for what is not numbers with points between them.
    public init?(_ text: String) {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map { part in
            part.utf8.allSatisfy { (48...57).contains($0) } ? Int(part) : nil
        }
        guard (1...8).contains(numbers.count), !numbers.contains(nil) else { return nil }
        parts = numbers.compactMap(\.self)
    }

    /// Whether one is older: what one of them leaves out is 0.
    public static func < (left: VersionNumber, right: VersionNumber) -> Bool {
        for place in 0..<max(left.parts.count, right.parts.count) {
            let one = place < left.parts.count ? left.parts[place] : 0
            let other = place < right.parts.count ? right.parts[place] : 0
            if one != other { return one < other }
        }
        return false
    }

    /// As it is written.
    public var description: String { parts.map(String.init).joined(separator: ".") }

    /// Reads it as it is written.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.singleValueContainer()
        let text = try values.decode(String.self)
        guard let version = VersionNumber(text) else {
            throw DecodingError.dataCorruptedError(
                in: values, debugDescription: "\(text.onOneLine) is no version")
        }
        self = version
    }

    /// Writes it as it is written.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.singleValueContainer()
        try values.encode(description)
    }
}
