import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// What the lab's vCenter does on request, and does at every release.
struct LabVCenterRequestTests {
    private static let hosts = LabVCenterRig.envelope(
        """
        <RetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector\
        </_this><specSet><propSet><type>HostSystem</type><pathSet>name</pathSet></propSet>\
        <objectSet><obj type="HostSystem">host-9</obj></objectSet>\
        <objectSet><obj type="HostSystem">host-10</obj></objectSet>\
        <objectSet><obj type="HostSystem">host-11</obj></objectSet></specSet>\
        <options><maxObjects>100</maxObjects></options></RetrievePropertiesEx>
        """)

    private static func shutDown(_ id: String) -> Data {
        Data(
            LabVCenterRig.envelope(
                """
                <ShutdownGuest xmlns="urn:vim25"><_this type="VirtualMachine">\(id)</_this>\
                </ShutdownGuest>
                """
            ).utf8)
    }

    private static func login(_ password: String) -> Data {
        Data(
            LabVCenterRig.envelope(
                """
                <Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this>\
                <userName>\(LabVCenterRig.user)</userName><password>\(password)</password></Login>
                """
            ).utf8)
    }

    @Test(arguments: LabRelease.allCases)
    func `answers come in pages as small as they are asked for`(release: LabRelease) async throws {
        try await LabVCenterRig.with(pageSize: 100, release: release) { rig in
            let action = "urn:vim25/\(release.newest.text)"
            let cookie = try await rig.login(action: action)
            let call = Data(Self.hosts.utf8)
            let whole = try await rig.post(call, cookie: cookie, action: action)
            #expect(whole.status == 200)
            #expect(!whole.body.contains("<token>"))
            await rig.server.setPageSize(1)
            let part = try await rig.post(call, cookie: cookie, action: action)
            #expect(part.body.contains("<token>"))
            #expect(part.body.components(separatedBy: "<objects>").count == 2)
        }
    }

    @Test(arguments: LabRelease.allCases)
    func `a cookie is quoted, and a session that expires is gone`(release: LabRelease) async throws
    {
        try await LabVCenterRig.with(release: release) { rig in
            let action = "urn:vim25/\(release.newest.text)"
            let cookie = try await rig.login(action: action)
            #expect(cookie.hasPrefix("vmware_soap_session=\"") && cookie.hasSuffix("\""))
            let call = Data(Self.hosts.utf8)
            #expect(try await rig.post(call, cookie: cookie, action: action).status == 200)
            let bare = cookie.replacing("\"", with: "")
            for dropped in [bare, cookie] {
                if dropped == cookie { await rig.server.endSessions() }
                let answer = try await rig.post(call, cookie: dropped, action: action)
                #expect(try faultType(answer.body) == "NotAuthenticated")
            }
        }
    }

    @Test(arguments: LabRelease.allCases)
    func `a guest without Tools cannot be asked, and one that was not on is so already`(
        release: LabRelease
    ) async throws {
        try await LabVCenterRig.with(release: release) { rig in
            let action = "urn:vim25/\(release.newest.text)"
            let cookie = try await rig.login(action: action)
            // mid-notools.
            let mute = try await rig.post(Self.shutDown("vm-108"), cookie: cookie, action: action)
            #expect(try faultType(mute.body) == "ToolsUnavailable")
            try rig.world.powerOffGuest(try LabVCenterRig.guest("app-web01"))
            let off = try await rig.post(Self.shutDown("vm-101"), cookie: cookie, action: action)
            #expect(try faultType(off.body) == "InvalidPowerState")
        }
    }

    @Test(arguments: LabRelease.allCases)
    func `five refused logins lock the account, also for the right password`(
        release: LabRelease
    ) async throws {
        try await LabVCenterRig.with(release: release) { rig in
            let action = "urn:vim25/\(release.newest.text)"
            for _ in 1...LabHostAccount.refusalsMax {
                let refused = try await rig.post(Self.login("wrong"), action: action)
                #expect(try faultType(refused.body) == "InvalidLogin")
            }
            #expect(rig.server.account.isLocked)
            await #expect(throws: RigError.self) { try await rig.login(action: action) }
            rig.server.account.setLocked(false)
            _ = try await rig.login(action: action)
        }
    }

    @Test(arguments: LabRelease.allCases)
    func `a proxy says 503 while vCenter starts`(release: LabRelease) async throws {
        try await LabVCenterRig.with(release: release) { rig in
            let vcsa = try LabVCenterRig.guest("vcsa01")
            try rig.world.powerOffGuest(vcsa)
            try rig.world.powerOnGuest(vcsa, on: HostName("esx2.lab"), by: "a host's shell")
            var seen: Set<Int> = []
            let deadline = ContinuousClock.now + .seconds(60)
            while !seen.contains(500), ContinuousClock.now < deadline {
                do {
                    let answer = try await rig.post(
                        Data(Self.hosts.utf8), action: "urn:vim25/\(release.newest.text)")
                    seen.insert(answer.status)
                } catch is RigError { seen.insert(0) }
            }
            #expect(seen.contains(503))
            #expect(seen.contains(500))
        }
    }

    /// Trap (facts/vsphere.md 1.2, 4.0): absent may mean "asked as an older version".
    @Test(arguments: [("8.0.3.0", true), ("8.0.2.0", true), ("7.0.3.0", false), ("7.0.2.0", false)])
    func `trap 4.0: an older SOAPAction hides newer fields without a word`(
        version: String, isShown: Bool
    ) async throws {
        try await LabVCenterRig.with {
            $0.automation.vclsMode = .absent
        } _: { rig in
            let cookie = try await rig.login()
            let read = LabVCenterRig.envelope(
                """
                <RetrievePropertiesEx xmlns="urn:vim25">\
                <_this type="PropertyCollector">propertyCollector</_this><specSet>\
                <propSet><type>ClusterComputeResource</type><pathSet>configurationEx</pathSet>\
                </propSet><objectSet><obj type="ClusterComputeResource">domain-c8</obj>\
                </objectSet></specSet><options/></RetrievePropertiesEx>
                """)
            let answer = try await rig.post(
                Data(read.utf8), cookie: cookie, action: "urn:vim25/\(version)")
            #expect(answer.status == 200)
            #expect(answer.body.contains("<deploymentMode>ABSENT</deploymentMode>") == isShown)
            #expect(answer.body.contains("<dasConfig>"))
        }
    }
}
