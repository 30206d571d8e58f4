import Foundation
import Machines
import PowerLab
import PowerModel
import PowerRun
import Testing
import Transport

/// A management controller over Redfish, against sushy-tools' emulator.
@Suite(.serialized) struct RedfishTests {
    private static let host = HostName("esx1")
    private static let on = "11111111-1111-4111-8111-111111111111"
    private static let off = "22222222-2222-4222-8222-222222222222"

    private func with<R>(
        _ systems: [LabRedfish.System], _ body: (LabRedfish) async throws -> R
    ) async throws -> R {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-bmc-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let lab = try await LabRedfish.start(
            root.appending(path: ".build/venv/bin/sushy-emulator").path, in: directory, systems)
        let result: Result<R, any Error>
        do { result = .success(try await body(lab)) } catch { result = .failure(error) }
        await lab.stop()
        try FileManager.default.removeItem(atPath: directory)
        return try result.get()
    }

    private func controller(
        _ lab: LabRedfish, system: String? = nil, password: String = LabRedfish.password,
        sha256: String? = nil, limit: Duration = .seconds(60)
    ) -> RedfishBMC {
        RedfishBMC(
            Self.host,
            site: BMCSite(
                endpoint: Endpoint(host: "127.0.0.1", port: lab.port), user: LabRedfish.user,
                password: .file(path: "/nowhere"), trust: .pinned(sha256: sha256 ?? lab.sha256),
                system: system),
            password: Secret(password), limit: limit)
    }

    private func failure(_ bmc: RedfishBMC) async -> BMCError? {
        do throws(BMCError) {
            _ = try await bmc.isOff()
            return nil
        } catch { return error }
    }

    @Test func `it tells whether its only system is off, and sees it go`() async throws {
        try await with([LabRedfish.System(id: Self.on, isOn: true)]) { lab in
            let bmc = controller(lab)
            #expect(try await !bmc.isOff())
            let login = Data("\(LabRedfish.user):\(LabRedfish.password)".utf8)
            let reset = try await HTTPSClient(
                endpoint: HTTPSEndpoint(host: "127.0.0.1", port: lab.port),
                trust: .pinned(sha256: lab.sha256)
            ).send(
                HTTPSRequest(
                    method: "POST",
                    path: "/redfish/v1/Systems/\(Self.on)/Actions/ComputerSystem.Reset",
                    headers: [
                        HTTPSRequest.Header(
                            "Authorization", "Basic \(login.base64EncodedString())"),
                        HTTPSRequest.Header("Content-Type", "application/json"),
                    ], body: Array(#"{"ResetType": "ForceOff"}"#.utf8), timeout: .seconds(60)))
            #expect(reset.status == 204)
            // The emulator takes its time, as a server does.
            let deadline = ContinuousClock.now + .seconds(60)
            while try await !bmc.isOff() {
                try #require(ContinuousClock.now < deadline, "it does not go off")
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    @Test func `of several systems the site file must name one`() async throws {
        let systems = [
            LabRedfish.System(id: Self.on, isOn: true),
            LabRedfish.System(id: Self.off, isOn: false),
        ]
        try await with(systems) { lab in
            #expect(try await !controller(lab, system: Self.on).isOff())
            #expect(try await controller(lab, system: Self.off).isOff())
            let unclear = try #require(await failure(controller(lab)))
            #expect(unclear.reason == .unclear)
            for system in systems { #expect(unclear.detail.contains(system.id), "\(unclear)") }
            #expect(await failure(controller(lab, system: "System.Embedded.1"))?.reason == .unclear)
        }
    }

    @Test func `a refused login is the last one, and a strange certificate sees no password`()
        async throws
    {
        try await with([LabRedfish.System(id: Self.on, isOn: true)]) { lab in
            let wrong = controller(lab, password: "wrong\n")
            for _ in 1...3 { #expect(await failure(wrong)?.reason == .loginRefused) }
            let other = String(repeating: "0", count: 64)
            #expect(await failure(controller(lab, sha256: other))?.reason == .certificateRefused)
            #expect(lab.requests.filter { $0.contains(" 401 ") }.count == 1, "\(lab.requests)")
            #expect(lab.requests.count == 1)
            await lab.stop()
            #expect(await failure(controller(lab))?.reason == .unreachable)
        }
    }

    @Test func `one that says nothing costs its limit`() async throws {
        let mute = try LabMutePort()
        let bmc = RedfishBMC(
            Self.host,
            site: BMCSite(
                endpoint: Endpoint(host: "127.0.0.1", port: mute.port), user: LabRedfish.user,
                password: .file(path: "/nowhere"),
                trust: .pinned(sha256: String(repeating: "0", count: 64))),
            password: Secret("x"), limit: .seconds(1))
        let start = ContinuousClock.now
        #expect(await failure(bmc) != nil)
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}
