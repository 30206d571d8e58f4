import Foundation
import PowerLab
import Testing
import Transport

@Suite struct `SSH leaves nothing behind` {
    /// In a process of its own: other tests open descriptors meanwhile.
    @Test func `failed and closed sessions leave no descriptor open`() async throws {
        await #expect(processExitsWith: .success) {
            try await SSHServer.with { server in
                func count() throws -> Int {
                    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
                }
                func round() async throws {
                    let listener = try LabMutePort(saying: "SSH-2.0-x\r\n", thenHangingUp: true)
                    _ = try? await SSHSession.probe(
                        host: "127.0.0.1", port: listener.port, limit: .seconds(5))
                    _ = try? await SSHSession(server.target(trusting: [])).run(
                        "true", limit: .seconds(5))
                    let session = SSHSession(server.target())
                    _ = try await session.run("true", limit: .seconds(10))
                    await session.close()
                    let abandoned = SSHSession(server.target())
                    _ = try await abandoned.run("true", limit: .seconds(10))
                    _ = try? await abandoned.run("sleep 9", limit: .milliseconds(200))
                }
                try await round()
                let before = try count()
                for _ in 0..<5 { try await round() }
                try await Task.sleep(for: .milliseconds(200))
                let after = try count()
                if after > before + 2 { throw SetUpProblem("\(before) became \(after)") }
            }
        }
    }
}
