import Foundation
import Testing

@Suite struct UnitFileTests {
    static let folder =
        URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path + "/Templates/systemd"

    @Test func `systemd accepts the units`() async throws {
        let scratch = try Scratch()
        let text = try String(contentsOfFile: Self.folder + "/vpower.service", encoding: .utf8)
        let command = "ExecStart=/usr/bin/vpower watch"
        #expect(text.contains("\n\(command)\n"))
        // The one thing that is not there in a test: the installed program.
        try text.replacing(command, with: "ExecStart=/bin/true watch").write(
            toFile: scratch.path + "/vpower.service", atomically: true, encoding: .utf8)
        try FileManager.default.copyItem(
            atPath: Self.folder + "/vpower.socket", toPath: scratch.path + "/vpower.socket")
        let result = try await run(
            "systemd-analyze",
            [
                "verify", "--man=no", scratch.path + "/vpower.service",
                scratch.path + "/vpower.socket",
            ])
        // It warns of unknown settings with exit code 0: what it says of ours counts too.
        #expect(result.status == 0, "\(result.output)")
        #expect(!result.output.contains("vpower"), "\(result.output)")
    }

    @Test func `the socket is where vpower-notify sends to, and the daemon knows its name`() throws
    {
        let text = try String(contentsOfFile: Self.folder + "/vpower.socket", encoding: .utf8)
        for line in [
            "ListenDatagram=/run/vpower/notify.sock", "FileDescriptorName=notify",
            "SocketMode=0660", "SocketGroup=nut",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    @Test func `the daemon may take its time to stop, longer than its own limit`() throws {
        let text = try String(contentsOfFile: Self.folder + "/vpower.service", encoding: .utf8)
        for line in [
            "Restart=always", "KillMode=mixed", "TimeoutStopSec=60min", "Type=notify",
            "RuntimeDirectoryPreserve=yes",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    /// Trap (facts/vsphere.md 2.1, 4.5): with no slot left nobody logs in any more, and sources
    /// disagree on how long an idle session lives.
    @Test func `trap 4.5: a daemon that crashes in a loop leaves vCenter enough sessions`() throws {
        let text = try String(contentsOfFile: Self.folder + "/vpower.service", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("RestartSec=") })
        let pause = try #require(Int(line.dropFirst("RestartSec=".count)))
        let (longestIdleSeconds, sessionsAtMost, clusters) = (120 * 60, 2000, 2)
        #expect(longestIdleSeconds / pause * clusters < sessionsAtMost)
    }

    @Test func `systemd-tmpfiles makes the spool for upsmon's group`() async throws {
        let scratch = try Scratch()
        let root = scratch.path + "/root"
        try FileManager.default.createDirectory(
            atPath: root + "/etc", withIntermediateDirectories: true)
        // Accounts of its own: nothing of the machine's is needed.
        try "root:x:0:0::/:/bin/sh\n".write(
            toFile: root + "/etc/passwd", atomically: true, encoding: .utf8)
        try "root:x:0:\nnut:x:4242:\n".write(
            toFile: root + "/etc/group", atomically: true, encoding: .utf8)
        var text = try String(
            contentsOfFile: Self.folder + "/vpower-tmpfiles.conf", encoding: .utf8)
        let isRoot = getuid() == 0
        // Only root may give files away; the rest is the same for others.
        if !isRoot {
            text = text.replacing(" root root ", with: " - - ").replacing(
                " root nut ", with: " - - ")
        }
        try text.write(toFile: scratch.path + "/t.conf", atomically: true, encoding: .utf8)
        let result = try await run(
            "systemd-tmpfiles", ["--create", "--root=\(root)", scratch.path + "/t.conf"])
        #expect(result.status == 0, "\(result.output)")
        let files = FileManager.default
        let spool = try files.attributesOfItem(atPath: root + "/var/spool/vpower")
        #expect(spool[.posixPermissions] as? Int == 0o770)
        if isRoot {
            #expect(spool[.ownerAccountID] as? Int == 0)
            #expect(spool[.groupOwnerAccountID] as? Int == 4242)
        }
        let runtime = try files.attributesOfItem(atPath: root + "/run/vpower")
        #expect(runtime[.posixPermissions] as? Int == 0o755)
    }
}
