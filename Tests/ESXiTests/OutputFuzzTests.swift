import Foundation
import PowerModel
import Templates
import Testing

@testable import ESXi

/// What a host, or whoever stands in its place, may print: nothing of it may bring vpower down.
@Suite struct OutputFuzzTests {
    /// Outputs of the normal suite; `VPOWER_OUTPUTS` asks for another number.
    private static let usualCount = 4000
    /// Reading one with every parser takes no longer, on a machine that is busy as well.
    private static let limit: Duration = .seconds(5)
    /// What may be held more than before, however many were read.
    private static let growthMiB = 50

    private static var count: Int {
        ProcessInfo.processInfo.environment["VPOWER_OUTPUTS"].flatMap { Int($0) } ?? usualCount
    }

    /// Every parser of what a host prints: each gives a value, or says that it is none.
    private static let parsers: [(name: String, reads: @Sendable (String) -> Bool)] = [
        ("guests", { GuestList($0) != nil }),
        ("skipped guests", { !GuestList.skipped($0).isEmpty }),
        ("power", { VimText.power($0) != nil }),
        ("fault", { VimFault($0) != nil }),
        ("property", { VimText.property("msg", in: $0) != nil }),
        ("hostd", VimText.saysNotReady),
        ("question", { QuestionText.question($0) != nil }),
        ("tools", { ToolsText.run($0) != nil }),
        ("tasks", { HostTask.names($0) != nil }),
        ("task", { HostTask($0) != nil }),
        ("autostart", { AutostartEntry.list($0) != nil }),
        ("autostart defaults", { AutostartEntry.isEnabled($0) != nil }),
        ("datastores", { DatastoreSummary.list($0) != nil }),
        ("volumes", { HostVolume.list($0)?.isEmpty == false }),
        ("NFS", { NFSMount.list($0)?.isEmpty == false }),
        ("processes", { GuestProcess.list($0)?.isEmpty == false }),
        ("release", { HostRelease($0) != nil }),
        ("names", { HostNames($0) != nil }),
        ("encryption", { EncryptionSettings($0) != nil }),
        ("Secure Boot", { SecureBoot($0, settings: $0) != .unknown }),
        ("maintenance mode", { MaintenanceText.isEnabled($0) != nil }),
        ("service", { ServiceText.isRunning($0) != nil }),
        ("vSAN members", { VSANText.membership($0) != nil }),
        ("vSAN setting", { VSANText.value($0) != nil }),
        ("vSAN helper", { VSANText.isPrepared($0) || VSANText.isRecovered($0) }),
        ("unknown command", EsxcliText.isUnknownCommand),
        ("crontab", { Crontab.savesAtMinute($0) != nil }),
        ("drift", { !AutoBackup.drift($0).isEmpty }),
        ("local.sh", { BootScript.block(in: $0) != nil }),
        ("boot report", { (try? BootScriptReport.parse($0)) != nil }),
    ]

    /// Beside the recorded outputs: forms that none of them has.
    private static let others = [
        "Retrieved runtime info\nSuspended\n", "hostd is running.\n",
        "Skipping invalid VM '30'\nSkipping invalid VM '4'\n",
        "Value of IgnoreClusterMemberListUpdates is 1\n", "Cluster preparation is done.\n",
        #"[{"WorldID": 7, "DisplayName": "a", "ConfigFile": "/vmfs/volumes/u/a/a.vmx"}]"#,
        #"[{"VolumeName": "a", "UUID": "u", "Mounted": false, "Type": "NFS", "Size": 1}]"#,
        #"{"HostName": "esx1", "FullyQualifiedDomainName": "esx1.lab", "DomainName": "lab"}"#,
        "   Enabled: true\n   Mode: TPM\n   Require Secure Boot: true\n"
            + "   Require Executables Only From Installed VIBs: false\n",
        "(vim.host.AutoStartManager.SystemDefaults) {\n   enabled = true, \n}\n",
        "# >>> vpower boot script\n:\n# <<< vpower boot script\nexit 0\n",
        "vpower-boot 2\nrun a\nmode armed\nstate done\nstarted 1\nof 1\ndisarmed yes\nend\n",
    ]

    @Test func `mutated outputs are read or refused, in bounded time and memory`() throws {
        var random = Seeded(state: 7)
        let recorded = try Sample.names.map { Array(try Sample.text($0).utf8) }
        let samples = recorded + Self.others.map { Array($0.utf8) }
        var read: [String: Int] = [:]
        var refused: [String: Int] = [:]
        let before = try residentMiB()
        var slowest = Duration.zero
        let begin = ContinuousClock.now
        for number in 0..<Self.count {
            let bytes = Self.mutated(samples, &random)
            let text = String(decoding: bytes, as: UTF8.self)
            let start = ContinuousClock.now
            for parser in Self.parsers {
                if parser.reads(text) {
                    read[parser.name, default: 0] += 1
                } else {
                    refused[parser.name, default: 0] += 1
                }
            }
            for guest in GuestList(text)?.guests ?? [] {
                #expect(!guest.name.isEmpty && guest.vmxPath.hasPrefix("["))
            }
            _ = Sections(bytes, Sections.Nonce(using: &random))
            let took = ContinuousClock.now - start
            slowest = max(slowest, took)
            #expect(took < Self.limit, "output \(number) of \(bytes.count) bytes took \(took)")
        }
        let growth = try residentMiB() - before
        #expect(growth < Self.growthMiB, "\(growth) MiB more than before")
        // Both happen to every parser, or the sweep looks at one side of it only.
        for parser in Self.parsers {
            #expect(read[parser.name, default: 0] > 0, "\(parser.name) read none")
            #expect(refused[parser.name, default: 0] > 0, "\(parser.name) refused none")
        }
        if Self.count > Self.usualCount {
            let took = ContinuousClock.now - begin
            let figures =
                "\(Self.count) outputs in \(took), the slowest \(slowest), \(growth) MiB more"
            FileHandle.standardError.write(Data((figures + "\n").utf8))
        }
    }

    private static func mutated(_ samples: [[UInt8]], _ random: inout Seeded) -> [UInt8] {
        var bytes = samples[Int.random(in: samples.indices, using: &random)]
        for _ in 0..<Int.random(in: 0...20, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.removeSubrange(index...)
            case 2: bytes.insert(10, at: index)
            case 3: bytes.remove(at: index)
            case 4:
                let other = samples[Int.random(in: samples.indices, using: &random)]
                let from = Int.random(in: 0...other.count, using: &random)
                bytes.insert(contentsOf: other[from...].prefix(200), at: index)
            default: bytes.insert(contentsOf: bytes[index...].prefix(60), at: index)
            }
        }
        return bytes
    }

    /// What this process holds in memory.
    private func residentMiB() throws -> Int {
        let statm = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = try #require(statm.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return pages * 4096 / 1_048_576
    }
}
