import Foundation
import Testing

/// A program run to its end, with what it printed.
func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let found = ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", ""].map { $0 + program }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let path = found else { throw MissingTool(name: program) }
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

struct MissingTool: Error, CustomStringConvertible {
    var name: String
    var description: String { "\(name) is not installed; `make setup` installs it" }
}

@Suite struct UnitFileTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path + "/Templates/systemd"

    @Test func `systemd accepts the units`() throws {
        let scratch = try Scratch()
        let text = try String(contentsOfFile: Self.folder + "/vpower.service", encoding: .utf8)
        let command = "ExecStart=/usr/bin/vpower watch"
        #expect(text.contains("\n\(command)\n"))
        // The one thing that is not there in a test: the installed program.
        try text.replacing(command, with: "ExecStart=/bin/true watch").write(
            toFile: scratch.path + "/vpower.service", atomically: true, encoding: .utf8)
        try FileManager.default.copyItem(
            atPath: Self.folder + "/vpower.socket", toPath: scratch.path + "/vpower.socket")
        let result = try run(
            "systemd-analyze",
            [
                "verify", "--man=no", scratch.path + "/vpower.service",
                scratch.path + "/vpower.socket",
            ])
        // It warns of unknown settings with exit code 0: what it says of ours counts too.
        #expect(result.status == 0, "\(result.output)")
        #expect(!result.output.contains("vpower"), "\(result.output)")
    }

    @Test func `the socket is where vpower-notify sends to, and the daemon knows its name`() throws {
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

    @Test func `systemd-tmpfiles makes the spool for upsmon's group`() throws {
        let scratch = try Scratch()
        let root = scratch.path + "/root"
        try FileManager.default.createDirectory(
            atPath: root + "/etc", withIntermediateDirectories: true)
        // Its own accounts, with our own ids: it needs no root and no account of the machine's.
        try "root:x:\(getuid()):\(getgid())::/:/bin/sh\n".write(
            toFile: root + "/etc/passwd", atomically: true, encoding: .utf8)
        try "root:x:\(getgid()):\nnut:x:\(getgid()):\n".write(
            toFile: root + "/etc/group", atomically: true, encoding: .utf8)
        let result = try run(
            "systemd-tmpfiles",
            ["--create", "--root=\(root)", Self.folder + "/vpower-tmpfiles.conf"])
        #expect(result.status == 0, "\(result.output)")
        var about = stat()
        #expect(lstat(root + "/var/spool/vpower", &about) == 0)
        #expect(about.st_mode & 0o7777 == 0o770)
        #expect(lstat(root + "/run/vpower", &about) == 0)
        #expect(about.st_mode & 0o7777 == 0o755)
    }
}
