import Foundation
import Transport

/// Connects, does something and closes, over and over, in good ways and in broken ones: what the
/// wrappers of libssh2 and libcurl leave behind, the address sanitizer says at the end.
///
/// `cycles SSHPORT HOSTKEY KEYFILE HTTPSPORT SHA256 COUNT` makes COUNT sessions of each kind with
/// the servers that scripts/soak-wrappers starts on this machine.
@main struct Cycles {
    static let atOnce = 8
    static let limit: Duration = .seconds(30)
    static let soon: Duration = .milliseconds(60)

    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count == 7, let ssh = Int(arguments[1]), let https = Int(arguments[4]),
            let count = Int(arguments[6])
        else { return end("usage: cycles SSHPORT HOSTKEY KEYFILE HTTPSPORT SHA256 COUNT") }
        let target = SSHTarget(
            host: "127.0.0.1", port: ssh, user: NSUserName(), login: .key(path: arguments[3]),
            hostKeys: [arguments[2]])
        let pin = arguments[5]
        let began = ContinuousClock.now
        let failures = await inTurn(count) { number in
            let failure = await overSSH(number, target)
            let other = await overHTTPS(number, port: https, pin: pin)
            return failure ?? other
        }
        print("\(count) SSH and \(count) HTTPS sessions in \(ContinuousClock.now - began)")
        if !failures.isEmpty { end(failures.prefix(5).joined(separator: "\n")) }
    }

    static func end(_ why: String) {
        print("cycles: \(why)")
        exit(1)
    }

    /// What was not as it must be, a few side by side.
    static func inTurn(
        _ count: Int, _ body: @escaping @Sendable (Int) async -> String?
    ) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            var failures: [String] = []
            for number in 0..<count {
                if number >= atOnce, let failure = await group.next() ?? nil {
                    failures.append(failure)
                }
                group.addTask { await body(number) }
            }
            for await case let failure? in group { failures.append(failure) }
            return failures
        }
    }

    /// A command; one that is called off, one that takes too long, one that says too much, one to a
    /// server that is not the right one.
    static func overSSH(_ number: Int, _ target: SSHTarget) async -> String? {
        var target = target
        if number % 5 == 4 { target.hostKeys = ["SHA256:another"] }
        let session = SSHSession(target)
        let (command, within, most, expected): (String, Duration, Int, SSHError.Reason?) =
            switch number % 5 {
            case 0: ("cat; echo said >&2", limit, 4096, nil)
            case 1: ("sleep 5", limit, 4096, .cancelled)
            case 2: ("sleep 5", .milliseconds(500), 4096, .timedOut)
            case 3: ("head -c 100000 /dev/zero", limit, 4096, .outputTooLarge)
            default: ("true", limit, 4096, .hostKeyChanged)
            }
        let task = Task { () -> Result<SSHOutput, SSHError> in
            do throws(SSHError) {
                return .success(
                    try await session.run(
                        command, input: Array("in".utf8), limit: within, outputLimitBytes: most))
            } catch { return .failure(error) }
        }
        if expected == .cancelled {
            try? await Task.sleep(for: number % 2 == 0 ? soon : soon * 5)
            task.cancel()
        }
        let result = await task.value
        await session.close()
        return switch (result, expected) {
        case (.success(let output), nil) where output.text == "in": nil
        case (.failure(let error), let reason?) where error.reason == reason: nil
        default: "SSH \(number): \(result)"
        }
    }

    /// A request; one that is called off, one that takes too long, one that is cut in the middle, a
    /// body that is too large, a server that is not the right one.
    static func overHTTPS(_ number: Int, port: Int, pin: String) async -> String? {
        let kind = number % 6
        let (path, expected): (String, HTTPSError.Reason?) =
            switch kind {
            case 0: ("/ok", nil)
            case 1: ("/stall", .broken)
            case 2: ("/trickle", .timedOut)
            case 3: ("/cut", .broken)
            case 4: ("/large", .tooLarge)
            default: ("/ok", .certificateRefused)
            }
        let client = HTTPSClient(
            endpoint: HTTPSEndpoint(host: "127.0.0.1", port: port),
            trust: .pinned(sha256: kind == 5 ? String(repeating: "0", count: 64) : pin),
            options: HTTPSOptions(bodyLimitBytes: 4096))
        let request = HTTPSRequest(
            path: path, timeout: kind == 2 ? .milliseconds(500) : limit, stallLimit: limit)
        let task = Task { () -> Result<HTTPSResponse, HTTPSError> in
            do throws(HTTPSError) { return .success(try await client.send(request)) } catch {
                return .failure(error)
            }
        }
        if kind == 1 {
            try? await Task.sleep(for: soon)
            task.cancel()
        }
        let result = await task.value
        return switch (result, expected) {
        case (.success(let response), nil) where response.status == 200: nil
        case (.failure(let error), let reason?) where error.reason == reason: nil
        default: "HTTPS \(number): \(result)"
        }
    }
}
