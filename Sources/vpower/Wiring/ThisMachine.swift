import FoundationEssentials
import Glibc
import PowerModel

/// The machine on which vpower runs, as its kernel shows it.
enum ThisMachine {
    private static let firmware = "/sys/class/dmi/id"
    private static let network = "/sys/class/net"
    /// Of which every machine has the same.
    private static let common: Set<String> = ["127.0.0.1", "::1", "00:00:00:00:00:00"]

    /// By what it can be found among guests. What may not be read, or is not there, is missing: a
    /// machine without DMI is no VMware guest.
    static func evidence(firmware: String = ThisMachine.firmware) -> MachineEvidence {
        MachineEvidence(
            vendor: line("\(firmware)/sys_vendor"), serial: line("\(firmware)/product_serial"),
            uuid: line("\(firmware)/product_uuid"),
            addresses: (hardwareAddresses() + networkAddresses()).filter { !common.contains($0) })
    }

    private static func line(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let text = String(decoding: data, as: UTF8.self).prefix { $0 != "\n" }
        return text.isEmpty ? nil : String(text)
    }

    private static func hardwareAddresses() -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: network)
                .compactMap { line("\(network)/\($0)/address") }
        } catch { return [] }
    }

    private static func networkAddresses() -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [String] = []
        var next = list
        while let one = next?.pointee {
            if let address = one.ifa_addr.flatMap(text) { addresses.append(address) }
            next = one.ifa_next
        }
        return addresses
    }

    private static func text(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = getnameinfo(
            address, socklen_t(length), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        guard code == 0 else { return nil }
        // An IPv6 address may name its interface behind a percent sign.
        return String(
            decoding: name.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "%")) }
                .map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
