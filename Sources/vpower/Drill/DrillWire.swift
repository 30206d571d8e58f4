import ESXi
import FoundationEssentials
import Glibc
import NUT
import PowerLab
import PowerModel
import PowerRun
import PowerService
import PowerStore
import Transport
import VSphere

/// A drill on the wire: the lab's servers on 127.0.0.1, and the adapters of a real run.
enum DrillWire {
    /// How long bubblewrap may take to show that it works.
    private static let probeLimit: Duration = .seconds(10)

    /// What the wire needs and this machine does not give: programs, or the right to make
    /// namespaces. Empty when all of it is there.
    static func missing() async -> [String] {
        let absent = ["sshd", "bwrap", "busybox", "openssl", "ssh-keygen"]
            .filter { path(of: $0) == nil }
        guard absent.isEmpty, let bubblewrap = path(of: "bwrap") else { return absent }
        do {
            // What a simulated host asks for, around a program that does nothing.
            let probe = try await LabProcess.run(
                bubblewrap,
                [
                    "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--proc", "/proc",
                    "--", "/bin/true",
                ], within: probeLimit)
            return probe.status == 0 ? [] : ["the right to make namespaces (bwrap)"]
        } catch { return ["bwrap (\(error))"] }
    }

    private static func path(of tool: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
        return folders.map { "\($0)/\(tool)" }.first { access($0, X_OK) == 0 }
    }

    static func carryOut(
        leavesHAOn: Bool, print: @escaping @Sendable (String) -> Void
    ) async throws -> DrillReport {
        var template = Array("/tmp/vpower-drill-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Problem(summary: "cannot make a directory under /tmp", code: .failed)
        }
        let directory = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        let time = SystemTime()
        let lab = LabWire(directory: directory, time: time)
        let report: Result<DrillReport, any Error>
        do {
            let sitePath = try await lab.start()
            let site = try await site(sitePath, directory: directory, lab: lab, time: time)
            let timeline = Timeline(time: time, print: print)
            let run = DrillRun(site: site, timeline: timeline, leavesHAOn: leavesHAOn)
            report = .success(try await run.carryOut())
        } catch { report = .failure(error) }
        await lab.stop()
        // What cannot be removed under /tmp does no harm; the drill's result is what counts.
        do { try FileManager.default.removeItem(atPath: directory) } catch {
            print("drill: \(directory) could not be removed: \(error)")
        }
        return try report.get()
    }

    private static func site(
        _ path: String, directory: String, lab: LabWire, time: SystemTime
    ) async throws -> DrillSite {
        var options = SiteOptions()
        options.site = path
        options.state = "\(directory)/state"
        let context = try SiteContext.load(options)
        let cluster = try context.cluster(nil)
        guard let feedSite = context.site.feeds.first else {
            throw Problem(summary: "the lab's site file has no feed", code: .failed)
        }
        let feed = try context.makeFeed(feedSite)
        let vcenter = try context.makeCluster(cluster)
        let hosts = try context.makeHosts(cluster)
        let journal = try await context.state.openByHand()
        return DrillSite(
            world: lab.world, time: time, feed: feed, trigger: feedSite.trigger,
            around: { announcer in
                try context.surroundings(
                    cluster, through: vcenter, hosts: hosts.map(\.control), journal: journal,
                    announcer: announcer)
            },
            traffic: {
                let ups = feed.traffic
                let soap = vcenter.counters
                var ssh = DrillTraffic(adapter: "esxi", calls: 0, bytes: 0)
                var api = DrillTraffic(adapter: "esxi soap", calls: 0, bytes: 0)
                for host in hosts {
                    let traffic = host.ssh.traffic
                    ssh.calls += traffic.commands
                    ssh.bytes += traffic.bytesIn + traffic.bytesOut
                    guard let counters = host.soap?.counters else { continue }
                    api.calls += counters.calls
                    api.bytes += counters.bytesIn + counters.bytesOut
                }
                return [
                    DrillTraffic(
                        adapter: "nut", calls: Int(ups.calls),
                        bytes: Int(ups.bytesIn + ups.bytesOut)),
                    DrillTraffic(
                        adapter: "vcenter", calls: soap.calls,
                        bytes: soap.bytesIn + soap.bytesOut), ssh, api,
                ]
            })
    }
}
