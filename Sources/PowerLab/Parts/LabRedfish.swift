import Foundation

/// A real Redfish service of somebody else's, sushy-tools' emulator, on a port of 127.0.0.1: the
/// management controller of hosts that are only numbers to it.
public final class LabRedfish: Sendable {
    /// A system of the service.
    public struct System: Sendable {
        /// Its Id, a UUID.
        public var id: String
        /// Whether it is on at first.
        public var isOn: Bool

        /// A system.
        public init(id: String, isOn: Bool) {
            self.id = id
            self.isOn = isOn
        }
    }

    /// Who may log in, and with what.
    public static let user = "vpower"
    /// That user's password.
    public static let password = "secret"
    /// As the emulator wants it: bcrypt.
    private static let passwordLine =
        "\(user):$2b$04$wZCc7TxQrDASEq7jMc5uT.XipEv0zqo4gXQEeJLlunKKKojmfJuti\n"
    private static let startLimit: Duration = .seconds(60)
    private static let pause: Duration = .milliseconds(50)

    /// The port it listens on.
    public let port: Int
    /// The SHA-256 of its certificate.
    public let sha256: String
    private let process: LabProcess

    /// Starts one and waits until it listens.
    /// - Parameters:
    ///   - program: `sushy-emulator`, where `scripts/setup-python` has put it.
    ///   - directory: an empty one for its files.
    ///   - systems: what it manages.
    public static func start(
        _ program: String, in directory: String, _ systems: [System]
    ) async throws -> LabRedfish {
        let certificate = try await LabCertificate.make(in: directory, named: "redfish")
        try passwordLine.write(toFile: "\(directory)/users", atomically: true, encoding: .utf8)
        let list = systems.map { system in
            """
                {'uuid': '\(system.id)', 'name': '\(system.id)', 'external_notifier': False,
                 'power_state': '\(system.isOn ? "On" : "Off")', 'nics': []},
            """
        }
        let config = """
            SUSHY_EMULATOR_AUTH_FILE = '\(directory)/users'
            SUSHY_EMULATOR_STATE_DIR = '\(directory)'
            SUSHY_EMULATOR_FAKE_DRIVER = True
            SUSHY_EMULATOR_FAKE_SYSTEMS = [
            \(list.joined(separator: "\n"))
            ]

            """
        try config.write(toFile: "\(directory)/config", atomically: true, encoding: .utf8)
        let port = try LabPort.free()
        let process = try LabProcess(
            program,
            [
                "--config", "\(directory)/config", "--fake", "--interface", "127.0.0.1", "--port",
                "\(port)", "--ssl-certificate", certificate.certificatePEMPath, "--ssl-key",
                certificate.keyPEMPath,
            ])
        let clock = ContinuousClock()
        let deadline = clock.now + startLimit
        while !LabPort.isOpen(UInt16(port)) {
            guard process.isRunning, clock.now < deadline else {
                await process.stop()
                throw LabProcessError(
                    program: program, detail: "does not listen: \(process.errors)")
            }
            try await Task.sleep(for: pause)
        }
        return LabRedfish(port: port, sha256: certificate.sha256, process: process)
    }

    private init(port: Int, sha256: String, process: LabProcess) {
        self.port = port
        self.sha256 = sha256
        self.process = process
    }

    /// The requests it has answered, a line each with its status.
    public var requests: [String] {
        process.errors.split(separator: "\n").map(String.init).filter { $0.contains("/redfish/") }
    }

    /// Stops it.
    public func stop() async { await process.stop() }
}
