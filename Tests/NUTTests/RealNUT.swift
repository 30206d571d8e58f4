import Foundation
import Glibc
import PowerLab
import Testing

/// Why a real part could not be had.
struct SetupError: Error, CustomStringConvertible {
    var description: String
}

/// NUT's own dummy-ups and upsd on a free port of 127.0.0.1, in a temporary directory.
///
/// `dummy` has a driver that runs; `quiet` has none. As root they become user nut, so the
/// directory is theirs too; as another user they stay that user.
actor RealNUT {
    enum Certificate: String { case none, localhost, otherName }

    static let driverPath = "/lib/nut/dummy-ups"
    static let serverPath = "/lib/nut/upsd"
    /// Starting takes 0.2 s alone; other builds share the machine.
    static let startLimit: Duration = .seconds(60)
    static let stopLimit: Duration = .seconds(30)

    let directory: URL
    let port: Int
    private var driver: Child?
    private var server: Child?

    private init(directory: URL, port: Int) {
        self.directory = directory
        self.port = port
    }

    /// Starts both, runs `body`, stops both whatever happens and removes the directory.
    static func run<Result: Sendable>(
        certificate: Certificate = .none, maxAgeSeconds: Int = 15, text: String? = "a lab's UPS",
        _ body: (RealNUT) async throws -> Result
    ) async throws -> Result {
        for tool in [driverPath, serverPath, "/bin/upsrw"]
        where access(tool, X_OK) != 0 {
            throw SetupError(description: "\(tool) is missing: run `make setup`")
        }
        let nut = try await prepared(
            certificate: certificate, maxAgeSeconds: maxAgeSeconds, text: text)
        do {
            try await nut.startDriver()
            try await nut.startServer()
            let result = try await body(nut)
            await nut.clean()
            return result
        } catch {
            await nut.clean()
            throw error
        }
    }

    // MARK: Parts that come and go

    func startDriver() async throws {
        driver = try launch(Self.driverPath, ["-F", "-a", "dummy"], log: "driver.log")
        let socket = directory.appending(path: "dummy-ups-dummy").path
        try await eventually("dummy-ups listens", within: Self.startLimit) {
            access(socket, F_OK) == 0
        }
    }

    func startServer() async throws {
        let process = try launch(Self.serverPath, ["-F"], log: "upsd.log")
        server = process
        try await eventually("upsd answers", within: Self.startLimit) { [port] in
            guard process.isRunning else {
                throw SetupError(description: "upsd ended: \(self.log("upsd.log"))")
            }
            do {
                return try await RawClient.talk(to: port) { say in
                    // `WAIT` until the driver's first data.
                    try await say("GET VAR dummy ups.status").contains("OL CHRG")
                }
            } catch { return false }
        }
    }

    func stopServer() async {
        let process = server
        server = nil
        await Self.stop(process)
    }

    /// As a crash does it.
    func killDriver() async {
        driver?.signal(SIGKILL)
        await stopDriver()
    }

    func freezeDriver() { driver?.signal(SIGSTOP) }
    func thawDriver() { driver?.signal(SIGCONT) }
    func stopDriver() async {
        let process = driver
        driver = nil
        await Self.stop(process)
    }

    /// Changes a variable through upsd with NUT's own tool, and waits until upsd shows it.
    func set(_ variable: String, _ value: String) async throws {
        let tool = try launch(
            "/bin/upsrw",
            [
                "-s", "\(variable)=\(value)", "-u", "admin", "-p", "adminpass",
                "dummy@127.0.0.1:\(port)",
            ], log: "upsrw.log")
        try await eventually("upsrw ends", within: Self.startLimit) { !tool.isRunning }
        try await eventually("upsd shows \(variable)=\(value)", within: Self.startLimit) { [port] in
            try await RawClient.talk(to: port) { say in
                try await say("GET VAR dummy \(variable)")
                    == "VAR dummy \(variable) \"\(value)\"\n"
            }
        }
    }

    // MARK: Making

    private static func prepared(certificate: Certificate, maxAgeSeconds: Int, text: String?)
        async throws -> RealNUT
    {
        // Short: the drivers' sockets are in it.
        var template = Array("/tmp/vpn.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SetupError(description: "no mkdtemp") }
        let path = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let nut = RealNUT(directory: URL(filePath: path), port: try LabPort.free())
        do {
            try await nut.writeFiles(certificate, maxAgeSeconds: maxAgeSeconds, text: text)
        } catch {
            await nut.clean()
            throw error
        }
        return nut
    }

    private func writeFiles(_ certificate: Certificate, maxAgeSeconds: Int, text: String?)
        async throws
    {
        var server = "LISTEN 127.0.0.1 \(port)\nMAXAGE \(maxAgeSeconds)\n"
        if certificate != .none {
            server += "CERTPATH \(directory.path)/nssdb\nCERTIDENT \"upsd\" \"labdbpass\"\n"
            try await makeCertificates(certificate)
        }
        let description = text.map { "\tdesc = \"\($0)\"\n" } ?? ""
        let files = [
            "upsd.conf": server,
            "ups.conf": """
            maxretry = 1
            pollinterval = 1
            [dummy]
            \tdriver = dummy-ups
            \tport = dummy.dev
            \tmode = dummy-once
            \(description)
            [quiet]
            \tdriver = dummy-ups
            \tport = dummy.dev

            """,
            "dummy.dev": Self.variables.sorted { $0.key < $1.key }
                .map { "\($0.key): \($0.value)\n" }.joined(),
            "upsd.users": """
            [admin]
            \tpassword = adminpass
            \tactions = SET
            [vpower]
            \tpassword = "a \\"b\\" \\#1"
            \tinstcmds = ALL
            \tupsmon secondary
            [watcher]
            \tpassword = watchpass
            \tupsmon secondary

            """,
        ]
        for (name, content) in files {
            try Data(content.utf8).write(to: directory.appending(path: name))
        }
        try giveToNUT()
    }

    /// What the driver starts with: the odd numbers are an OMRON BW55T's (facts/nut.md 1.5).
    static let variables = [
        "ups.status": "OL CHRG", "ups.load": "012", "battery.charge": "+88.7",
        "battery.runtime": "3900", "output.voltage.nominal": "-",
    ]

    private func giveToNUT() throws {
        guard geteuid() == 0 else { return }
        guard let group = getgrnam("nut") else {
            throw SetupError(description: "no group nut: run `make setup`")
        }
        let all = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        while let file = all?.nextObject() as? URL {
            chown(file.path, 0, group.pointee.gr_gid)
            chmod(file.path, file.hasDirectoryPath ? 0o770 : 0o660)
        }
        chown(directory.path, 0, group.pointee.gr_gid)
        chmod(directory.path, 0o770)
    }

    private func makeCertificates(_ certificate: Certificate) async throws {
        guard access("/usr/bin/certutil", X_OK) == 0 else {
            throw SetupError(description: "certutil (libnss3-tools) is missing: run `make setup`")
        }
        let names = certificate == .localhost ? "ip:127.0.0.1,dns:localhost" : "dns:ups.example"
        let script = """
            set -e; cd "$0"; mkdir nssdb; cd nssdb; printf labdbpass >pw
            head -c 64 /dev/urandom >noise
            certutil -N -d . -f pw
            printf 'y\\n\\n\\n' | certutil -S -d . -f pw -z noise -n labca -s "CN=lab CA" -x \
              -t "CT,," -m 1 -v 12 -Z SHA256 -2 --keyUsage certSigning,crlSigning
            certutil -S -d . -f pw -z noise -n upsd -s "CN=upsd" -c labca -t ",," -m 2 \
              -v 12 -Z SHA256 --extSAN \(names) --keyUsage digitalSignature,keyEncipherment \
              --extKeyUsage serverAuth
            certutil -L -d . -n labca -a >../ca.pem
            """
        let shell = try launch("/bin/sh", ["-c", script, directory.path], log: "certutil.log")
        try await eventually("certutil ends", within: Self.startLimit) { !shell.isRunning }
        guard shell.status == 0 else {
            throw SetupError(description: "certutil failed: \(log("certutil.log"))")
        }
    }

    private func launch(_ path: String, _ arguments: [String], log: String) throws -> Child {
        try Child(
            path, arguments,
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                "NUT_CONFPATH": directory.path, "NUT_STATEPATH": directory.path,
                "NUT_ALTPIDPATH": directory.path, "NUT_QUIET_INIT_SSL": "true",
            ], log: directory.appending(path: log).path)
    }

    private nonisolated func log(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: directory.appending(path: name).path)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    private static func stop(_ process: Child?) async {
        guard let running = process else { return }
        running.signal(SIGCONT)
        running.signal(SIGTERM)
        do {
            try await eventually("it ends", within: stopLimit) { !running.isRunning }
        } catch {
            Issue.record("process \(running.pid) does not end on SIGTERM")
            running.signal(SIGKILL)
        }
    }

    private func clean() async {
        await stopServer()
        await stopDriver()
        do { try FileManager.default.removeItem(at: directory) } catch {
            Issue.record("\(directory.path) is left: \(error)")
        }
    }
}

/// Looks again and again until it is so; an error when `limit` passed.
func eventually(
    _ what: String, within limit: Duration, _ isSo: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while clock.now < deadline {
        if try await isSo() { return }
        try await Task.sleep(for: .milliseconds(30))
    }
    throw SetupError(description: "not within \(limit): \(what)")
}
