import Foundation
import Testing

/// Recorded outputs of real hosts. The first line of each file names its source.
enum Sample {
    static let names = [
        "getallvms-5.5-two-vms", "getallvms-6.0-one-vm", "getallvms-6.5-two-vms",
        "getallvms-7-one-vm", "getallvms-7.0.3-multiline-annotation", "getallvms-8-empty",
        "getallvms-9.0.0-vcls-empty-datastore", "power-getstate-on", "power-getstate-off-9.0.0",
        "power-on-already-on-6.0-6.5", "power-on-already-on-old",
        "power-on-failed-9.0.0-GenericVmConfigFault", "power-on-ok-6.5", "fault-notfound-8",
        "auto-backup-5.1-binary-differ", "auto-backup-6.7-localsh-diff", "hostd-down-esxcli-5.x",
        "maintenanceMode-get-enabled-7.0", "get-summary-4.x", "localsh-header-7.0-8.0",
    ]

    static func text(_ name: String) throws -> String {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "txt", subdirectory: "Fixtures"))
        let text = try String(contentsOf: url, encoding: .utf8)
        let end = try #require(text.firstIndex(of: "\n"))
        try #require(text.hasPrefix("# source: "))
        return String(text[text.index(after: end)...])
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
