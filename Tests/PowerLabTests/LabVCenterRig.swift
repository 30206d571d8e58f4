import Dispatch
import Foundation
import PowerLab
import PowerModel
import PowerRun

/// The real clock, which the lab's world runs on when it is on the wire.
struct WallTime: TimeSource {
    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant

    init() { began = ContinuousClock().now }

    var elapsed: Duration { clock.now - began }

    var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }

    func sleep(for duration: Duration) async throws(CancellationError) {
        do { try await Task.sleep(for: duration) } catch { throw CancellationError() }
    }
}

/// A lab vCenter on the wire for one test, in a directory that goes with it.
struct LabVCenterRig: Sendable {
    static let user = "administrator@vsphere.local"
    static let password = "pass&<word>\"'"

    let world: LabWorld
    let server: LabVCenterServer
    let address: LabVCenterAddress
    let directory: String

    /// Runs a test against a vCenter of the standard site, and cleans up.
    static func with(
        pace: LabPace = quick, pageSize: Int = 5, release: LabRelease = .v80u3,
        prepare: (inout LabScenario) -> Void = { _ in },
        _ body: (LabVCenterRig) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("lab-vcenter-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        var scenario = LabScenario.standard(pace: pace)
        prepare(&scenario)
        let world = LabWorld(scenario, time: WallTime())
        let server = LabVCenterServer(
            world: world, user: user, password: password, directory: directory,
            pageSize: pageSize, release: release)
        let outcome: Result<Void, any Error>
        do {
            let rig = LabVCenterRig(
                world: world, server: server, address: try await server.start(),
                directory: directory)
            try await body(rig)
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await server.stop()
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    /// Everything takes tenths of seconds.
    static var quick: LabPace {
        var pace = LabPace()
        pace.guestStops = .milliseconds(300)
        pace.toolsUp = .milliseconds(200)
        pace.hostStops = .milliseconds(300)
        pace.vcenterUp = .milliseconds(800)
        pace.haFollows = .milliseconds(200)
        pace.vclsFollows = .milliseconds(300)
        return pace
    }

    /// The standard site's guest of this name.
    static func guest(_ name: String) throws -> GuestID {
        let guest = LabScenario.standard().guests.first { $0.name == name }
        guard let guest else { throw RigError(detail: "no guest \(name)") }
        return guest.id
    }

    // MARK: Python

    /// Runs one of the Python tools and gives back what it printed.
    static func python(
        _ tool: String, _ arguments: [String] = [], input: String = ""
    ) async throws -> Data {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let top = tests.deletingLastPathComponent().deletingLastPathComponent()
        let python = top.appendingPathComponent(".build/venv/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw RigError(detail: "no \(python.path): run `make setup`")
        }
        return try await run(
            python.path, [tests.appendingPathComponent("Tools/\(tool)").path] + arguments,
            input: Data(input.utf8))
    }

    // MARK: curl

    /// One request with curl: the status (0 when there was no connection), and the body.
    func post(
        _ body: Data, cookie: String? = nil, action: String? = "urn:vim25/8.0.3.0"
    ) async throws -> (status: Int, headers: String, body: String) {
        var arguments = [
            "--silent", "--show-error", "--include", "--max-time", "30",
            "--cacert", address.certificatePEMPath, "--data-binary", "@-",
            "-H", "Content-Type: text/xml; charset=\"utf-8\"", "-H", "Expect:",
        ]
        if let action { arguments += ["-H", "SOAPAction: \(action)"] }
        if let cookie { arguments += ["-H", "Cookie: \(cookie)"] }
        let answer = try await LabVCenterRig.run(
            "/usr/bin/curl", arguments + ["https://localhost:\(address.port)/sdk"], input: body)
        let text = String(decoding: answer, as: UTF8.self)
        guard let gap = text.range(of: "\r\n\r\n") else {
            throw RigError(detail: "no HTTP answer: \(text)")
        }
        let headers = String(text[..<gap.lowerBound])
        let status = headers.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (status ?? 0, headers, String(text[gap.upperBound...]))
    }

    /// Logs in and gives back the cookie as it was set.
    func login(action: String = "urn:vim25/8.0.3.0") async throws -> String {
        let answer = try await post(
            Data(
                Self.envelope(
                    """
                    <Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this>\
                    <userName>\(Self.user)</userName>\
                    <password>pass&amp;&lt;word>"'</password></Login>
                    """
                ).utf8), action: action)
        for line in answer.headers.split(separator: "\r\n") {
            guard line.lowercased().hasPrefix("set-cookie: ") else { continue }
            return String(line.dropFirst("set-cookie: ".count).prefix { $0 != ";" })
        }
        throw RigError(detail: "no cookie: \(answer)")
    }

    /// A SOAP envelope around a call.
    static func envelope(_ call: String) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
        xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\
        <soapenv:Body>\(call)</soapenv:Body></soapenv:Envelope>
        """
    }

    /// Runs a command, bounded by its own limits, and gives back its output. It waits on a thread
    /// of its own: the server in the same process needs those that tests run on.
    static func run(_ command: String, _ arguments: [String], input: Data) async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result { try runHere(command, arguments, input: input) })
            }
        }
    }

    private static func runHere(
        _ command: String, _ arguments: [String], input: Data
    ) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command)
        process.arguments = arguments
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: input)
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        let errors = try stderr.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw RigError(
                status: process.terminationStatus,
                detail: "\(command): " + String(decoding: errors.suffix(4000), as: UTF8.self))
        }
        return output
    }
}

/// Why a rig could not do its part.
struct RigError: Error, CustomStringConvertible {
    var status: Int32 = 0
    var detail: String
    var description: String { detail }
}
