import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// The lab's vCenter while its guest is off, starts and is back, and while hosts are away.
struct LabVCenterLifeTests {
    @Test func `a vCenter refuses connections while it is off and says 503 while it starts`()
        async throws
    {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            let vcsa = try LabVCenterRig.guest("vcsa01")
            try rig.world.powerOffGuest(vcsa)
            try await eventually("connections are refused") {
                // 7: curl could not connect.
                do { _ = try await rig.post(Data()) } catch let error as RigError {
                    return error.status == 7
                }
                return false
            }
            try rig.world.powerOnGuest(
                vcsa, on: HostName("esx2.lab"), by: "a host's shell")
            try await eventually("the proxy answers 503") {
                do {
                    let answer = try await rig.post(Data())
                    return answer.status == 503 && answer.body == "no healthy upstream"
                } catch { return false }
            }
            try await eventually("vCenter answers on the same port with the same certificate") {
                try await rig.post(Data(Self.currentTime.utf8)).status == 500
            }
            let old = try await rig.post(Data(Self.currentTime.utf8), cookie: cookie)
            #expect(try faultType(old.body) == "NotAuthenticated")
            let fresh = try await rig.login()
            #expect(try await rig.post(Data(Self.currentTime.utf8), cookie: fresh).status == 200)
        }
    }

    @Test func `guests of a host that does not answer are disconnected with their last power`()
        async throws
    {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            rig.world.shutDownHost(HostName("esx1.lab"))
            try await eventually("the host does not respond") {
                try await Self.read(rig, cookie, "HostSystem", "host-9", "runtime.connectionState")
                    == "notResponding"
            }
            let guest = ("VirtualMachine", "vm-101")
            #expect(
                try await Self.read(rig, cookie, guest.0, guest.1, "runtime.connectionState")
                    == "disconnected")
            #expect(
                try await Self.read(rig, cookie, guest.0, guest.1, "runtime.powerState")
                    == "poweredOn")
            let shutdown = try await rig.post(
                Data(
                    LabVCenterRig.envelope(
                        """
                        <ShutdownGuest xmlns="urn:vim25">\
                        <_this type="VirtualMachine">vm-101</_this></ShutdownGuest>
                        """
                    ).utf8), cookie: cookie)
            #expect(try faultType(shutdown.body) == "HostNotReachable")
        }
    }

    @Test func `a reader without a login sees no session, and no inventory`() async throws {
        try await LabVCenterRig.with { rig in
            let session = try await Self.get(
                rig, nil, "SessionManager", "SessionManager", "currentSession")
            #expect(session.status == 200)
            #expect(!session.body.contains("UserSession"))
            let inventory = try await Self.get(rig, nil, "HostSystem", "host-9", "name")
            #expect(try faultType(inventory.body) == "NotAuthenticated")
            let logged = try await Self.get(
                rig, try await rig.login(), "SessionManager", "SessionManager", "currentSession")
            #expect(logged.body.contains("UserSession"))
        }
    }

    @Test func `the certificate's digest is that of the file`() async throws {
        try await LabVCenterRig.with { rig in
            let printed = try await LabVCenterRig.run(
                "/usr/bin/openssl",
                [
                    "x509", "-in", rig.address.certificatePEMPath, "-noout", "-fingerprint",
                    "-sha256",
                ], input: Data())
            let hex = String(decoding: printed, as: UTF8.self)
                .split(separator: "=").last.map { $0.lowercased().filter(\.isHexDigit) }
            #expect(hex == rig.address.certificateSHA256)
        }
    }

    static let currentTime = LabVCenterRig.envelope(
        """
        <CurrentTime xmlns="urn:vim25">\
        <_this type="ServiceInstance">ServiceInstance</_this></CurrentTime>
        """)

    /// The text of one property of one object.
    static func read(
        _ rig: LabVCenterRig, _ cookie: String, _ type: String, _ id: String, _ path: String
    ) async throws -> String? {
        let answer = try await get(rig, cookie, type, id, path)
        var element = try readXML(Array(answer.body.utf8))
        for name in [
            "Body", "RetrievePropertiesExResponse", "returnval", "objects", "propSet", "val",
        ] {
            guard let next = element.children.first(where: { $0.name == name }) else { return nil }
            element = next
        }
        return element.text
    }

    static func get(
        _ rig: LabVCenterRig, _ cookie: String?, _ type: String, _ id: String, _ path: String
    ) async throws -> (status: Int, headers: String, body: String) {
        try await rig.post(
            Data(
                LabVCenterRig.envelope(
                    """
                    <RetrievePropertiesEx xmlns="urn:vim25">\
                    <_this type="PropertyCollector">propertyCollector</_this><specSet>\
                    <propSet><type>\(type)</type><pathSet>\(path)</pathSet></propSet>\
                    <objectSet><obj type="\(type)">\(id)</obj></objectSet></specSet><options/>\
                    </RetrievePropertiesEx>
                    """
                ).utf8), cookie: cookie)
    }

    /// Waits until something is so, for at most ten seconds.
    private func eventually(
        _ what: Comment, _ condition: () async throws -> Bool
    ) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(60)
        while clock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("not within a minute: \(what)")
    }
}
