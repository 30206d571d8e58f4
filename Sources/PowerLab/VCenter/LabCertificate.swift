import Foundation

/// A self-signed certificate of the lab's own, made with the `openssl` command.
struct LabCertificate: Sendable {
    let certificatePEMPath: String
    let keyPEMPath: String
    /// SHA-256 of the certificate's DER form, in lower-case hex.
    let sha256: String

    /// Makes one for localhost and 127.0.0.1 in a directory, which must exist.
    static func make(
        in directory: String, named name: String = "vcenter"
    ) async throws -> LabCertificate {
        let certificate = "\(directory)/\(name)-cert.pem"
        let key = "\(directory)/\(name)-key.pem"
        let der = "\(directory)/\(name)-cert.der"
        _ = try await openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", certificate, "-days", "3650", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        _ = try await openssl("x509", "-in", certificate, "-outform", "DER", "-out", der)
        let digest = try await openssl("dgst", "-sha256", "-r", der)
        let sha256 = String(digest.prefix { $0.isHexDigit })
        guard sha256.count == 64 else {
            throw LabVCenterError(
                attempting: "read the certificate's digest", detail: "openssl said: \(digest)")
        }
        return LabCertificate(certificatePEMPath: certificate, keyPEMPath: key, sha256: sha256)
    }

    /// Runs the command and gives back what it printed.
    private static func openssl(_ arguments: String...) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        // What it prints is short and fits the pipes, so that reading can wait for its end.
        let status = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        let printed = try output.fileHandleForReading.readToEnd() ?? Data()
        guard status == 0 else {
            let said = try errors.fileHandleForReading.readToEnd() ?? Data()
            throw LabVCenterError(
                attempting: "make a certificate",
                detail: "openssl \(arguments[0]) ended with \(status): "
                    + String(decoding: said, as: UTF8.self))
        }
        return String(decoding: printed, as: UTF8.self)
    }
}

/// Why the lab's vCenter could not be started.
public struct LabVCenterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    public var attempting: String
    /// The system's own words.
    public var detail: String

    /// One line for people.
    public var description: String { "the lab's vCenter cannot \(attempting): \(detail)" }
}
