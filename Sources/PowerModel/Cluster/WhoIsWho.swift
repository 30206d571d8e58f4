/// What vCenter shows of a guest by which it can be told who it is.
public struct GuestEvidence: Hashable, Sendable {
    /// Its identity.
    public var id: GuestID
    /// Its name: any text.
    public var name: String
    /// The UUID of its BIOS (`config.uuid`): clones may share one.
    public var biosUUID: String?
    /// Its own host name, as its Tools tell it.
    public var hostName: String?
    /// Its network and hardware addresses, as its Tools tell them.
    public var addresses: [String]

    /// Evidence.
    public init(
        id: GuestID, name: String, biosUUID: String? = nil, hostName: String? = nil,
        addresses: [String] = []
    ) {
        self.id = id
        self.name = name
        self.biosUUID = biosUUID
        self.hostName = hostName
        self.addresses = addresses
    }

    fileprivate var forPeople: String { "\(name.onOneLine) (\(id))" }
}

/// What is known of a vCenter by which its guest can be told.
public struct VCenterEvidence: Hashable, Sendable {
    /// Its names: what the site file calls it, and what its options say.
    public var names: [String]
    /// The addresses that those names have.
    public var addresses: [String]

    /// Evidence.
    public init(names: [String], addresses: [String]) {
        self.names = names
        self.addresses = addresses
    }
}

/// What the machine on which vpower runs says of itself (`/sys/class/dmi/id`).
public struct MachineEvidence: Hashable, Sendable {
    /// `sys_vendor`, which everybody may read.
    public var vendor: String?
    /// `product_serial`, which only root may read: `VMware-42 1f 24 5c …`.
    public var serial: String?
    /// `product_uuid`, which only root may read. From hardware version 13 on, its first three
    /// fields are swapped byte by byte (facts/vsphere.md 2.17).
    public var uuid: String?
    /// Its own network and hardware addresses.
    public var addresses: [String]

    /// Evidence; none by default.
    public init(
        vendor: String? = nil, serial: String? = nil, uuid: String? = nil,
        addresses: [String] = []
    ) {
        self.vendor = vendor
        self.serial = serial
        self.uuid = uuid
        self.addresses = addresses
    }

    private static let serialStart = "VMware-"

    /// Whether it is a guest of some ESXi host.
    public var isVMwareGuest: Bool {
        vendor?.hasPrefix("VMware") == true || serial?.hasPrefix(Self.serialStart) == true
    }

    /// Whether it has what is needed to find it among guests.
    public var hasIdentity: Bool { digitsOfSerial != nil || uuid.flatMap(Digits.init) != nil }

    private var digitsOfSerial: Digits? {
        guard let serial, serial.hasPrefix(Self.serialStart) else { return nil }
        return Digits(String(serial.dropFirst(Self.serialStart.count)))
    }

    /// Whether this is its own BIOS's UUID. The serial number is never swapped: where it is there,
    /// it decides.
    func hasBIOS(_ uuid: String) -> Bool {
        guard let wanted = Digits(uuid) else { return false }
        if let serial = digitsOfSerial { return serial == wanted }
        guard let own = self.uuid.flatMap(Digits.init) else { return false }
        return own == wanted || own.swapped == wanted
    }
}

/// The 32 hexadecimal digits of a UUID, however it is written.
private struct Digits: Hashable {
    private let bytes: [UInt8]

    init?(_ text: String) {
        var digits: [UInt8] = []
        for character in text.utf8 {
            switch character {
            case UInt8(ascii: "-"), UInt8(ascii: " "), UInt8(ascii: "\n"): continue
            default:
                guard let digit = Character(UnicodeScalar(character)).hexDigitValue else {
                    return nil
                }
                digits.append(UInt8(digit))
            }
        }
        guard digits.count == 32 else { return nil }
        bytes = stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Its first three fields the other way round.
    var swapped: Digits {
        Digits(
            bytes: bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed()
                + bytes[8...])
    }
}

/// What a search for one guest came to.
public enum Finding: Hashable, Codable, Sendable {
    /// It is this one.
    case guest(GuestID)
    /// It cannot be told: why, with the candidates by name.
    case unclear(String)
}

/// Guests that the site file does not name, found by what vCenter shows.
public struct FoundGuests: Hashable, Codable, Sendable {
    /// The guest that is the vCenter; nil where nobody looked.
    public var vcsa: Finding?
    /// The guest in which vpower runs; nil where it is none of these, or nobody looked.
    public var controller: Finding?

    /// What was found; nothing by default.
    public init(vcsa: Finding? = nil, controller: Finding? = nil) {
        self.vcsa = vcsa
        self.controller = controller
    }

    /// With what was found at another time, where this does not tell.
    public func filled(from other: FoundGuests) -> FoundGuests {
        func better(_ one: Finding?, _ other: Finding?) -> Finding? {
            if case .guest = one { return one }
            if case .guest = other { return other }
            return one ?? other
        }
        return FoundGuests(
            vcsa: better(vcsa, other.vcsa), controller: better(controller, other.controller))
    }
}

/// Tells who is who by evidence (facts/vsphere.md 2.17). Pure.
public enum WhoIsWho {
    /// The guest that is this vCenter: the only one that has its host name, or an address of it.
    public static func vcsa(
        _ vcenter: VCenterEvidence, among guests: [GuestEvidence]
    ) -> Finding {
        let addresses = Set(vcenter.addresses.map(plain))
        let found = guests.filter { guest in
            guest.addresses.contains { addresses.contains(plain($0)) }
                || guest.hostName.map { own in vcenter.names.contains { isSame(own, $0) } } == true
        }
        if found.count == 1 { return .guest(found[0].id) }
        let known = (vcenter.names + vcenter.addresses).map(\.onOneLine).joined(separator: ", ")
        return .unclear(
            found.isEmpty
                ? "no guest has a host name or an address of it (\(known))"
                : "its host name or an address of it (\(known)) is of "
                    + list(found))
    }

    /// The guest in which vpower runs; nil where it is none of these. Of clones with one BIOS UUID,
    /// it is the one that has an address of this machine.
    public static func controller(
        _ machine: MachineEvidence, among guests: [GuestEvidence]
    ) -> Finding? {
        let found = guests.filter { $0.biosUUID.map(machine.hasBIOS) == true }
        if found.isEmpty { return nil }
        if found.count == 1 { return .guest(found[0].id) }
        let own = Set(machine.addresses.map(plain))
        let near = found.filter { guest in guest.addresses.contains { own.contains(plain($0)) } }
        if near.count == 1 { return .guest(near[0].id) }
        return .unclear("the BIOS UUID of this machine is of " + list(found))
    }

    private static func list(_ guests: [GuestEvidence]) -> String {
        guests.map(\.forPeople).sorted().joined(separator: ", ")
    }

    /// An address as it is compared: without an interface, in lower case.
    private static func plain(_ address: String) -> String {
        String(address.prefix { $0 != "%" }).lowercased()
    }

    /// Whether two host names are of one machine: a short one is the first part of a long one.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        func parts(_ name: String) -> [Substring] {
            name.lowercased().split(separator: ".", omittingEmptySubsequences: true)
        }
        func isAddress(_ name: String) -> Bool {
            name.contains(":") || name.allSatisfy { $0 == "." || $0.isNumber }
        }
        let (one, other) = (one, other)
        if isAddress(one) || isAddress(other) { return plain(one) == plain(other) }
        let (left, right) = (parts(one), parts(other))
        if left.isEmpty || right.isEmpty { return false }
        return left == right || (min(left.count, right.count) == 1 && left[0] == right[0])
    }
}
