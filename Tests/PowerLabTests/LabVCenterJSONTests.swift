import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// VI JSON as the lab's vCenter serves it (facts/vsphere.md 1.3, 2.0.2), asked with curl.
struct LabVCenterJSONTests {
    private static let reconfigure =
        "ClusterComputeResource/domain-c8/ReconfigureComputeResource_Task"
    private static let spec = """
        {"spec":{"_typeName":"ClusterConfigSpecEx",\
        "dasConfig":{"_typeName":"ClusterDasConfigInfo","enabled":false}},"modify":true}
        """

    @Test func `a call is done, and its answer has the task`() async throws {
        try await LabVCenterRig.with { rig in
            let session = try await rig.jsonLogin()
            let answer = try await rig.json(Self.reconfigure, Self.spec, session: session)
            #expect(answer.status == 200)
            let task = try #require(answer.object)
            #expect(task["_typeName"] as? String == "ManagedObjectReference")
            #expect(task["type"] as? String == "Task")
            let id = try #require(task["value"] as? String)
            try await Task.sleep(for: LabVCenterServer.taskTime * 3)
            #expect(rig.world.currentAutomation().ha == false)
            let info = try await rig.json("Task/\(id)/info", session: session)
            #expect(info.object?["state"] as? String == "success")
        }
    }

    @Test func `a request the types do not allow is refused and nothing is done`() async throws {
        let wrong = [
            (Self.reconfigure, "", "InvalidRequest"),
            (Self.reconfigure, "[]", "InvalidRequest"),
            (Self.reconfigure, Self.spec.replacing(",\"modify\":true", with: ""), "InvalidRequest"),
            (Self.reconfigure, Self.spec.replacing("true", with: "\"true\""), "InvalidRequest"),
            (Self.reconfigure, Self.spec.replacing("true", with: "1"), "InvalidRequest"),
            (
                Self.reconfigure,
                Self.spec.replacing("\"_typeName\":\"ClusterConfigSpecEx\",", with: ""),
                "InvalidRequest"
            ),
            (Self.reconfigure, Self.spec.replacing("SpecEx", with: "InfoEx"), "InvalidType"),
            (
                Self.reconfigure, Self.spec.replacing("dasConfig", with: "dazConfig"),
                "InvalidRequest"
            ),
            (
                "OptionManager/VpxSettings/UpdateOptions",
                """
                {"changedValue":[{"_typeName":"OptionValue","key":"config.a","value":"x"}]}
                """, "InvalidRequest"
            ),
            (
                "OptionManager/VpxSettings/UpdateOptions",
                """
                {"changedValue":{"_typeName":"OptionValue","key":"config.a",\
                "value":{"_typeName":"string","_value":"x"}}}
                """, "InvalidRequest"
            ),
            ("HostSystem/host-1/ReconfigureComputeResource_Task", Self.spec, "MethodNotFound"),
        ]
        try await LabVCenterRig.with { rig in
            let session = try await rig.jsonLogin()
            for (path, body, fault) in wrong {
                let answer = try await rig.json(path, body, session: session)
                #expect(answer.status == 500, "\(body)")
                #expect(answer.object?["_typeName"] as? String == fault, "\(body)")
            }
            let answer = try await rig.json(Self.reconfigure, Self.spec, session: nil)
            // 500, as all faults: never decided on by status (facts/vsphere.md 2.0.2).
            #expect(answer.status == 500)
            #expect(answer.object?["_typeName"] as? String == "NotAuthenticated")
            try await Task.sleep(for: LabVCenterServer.taskTime * 3)
            #expect(rig.world.log.isEmpty)
        }
    }

    @Test(arguments: [
        (LabRelease.v6_7, "8.0.1.0", 404), (.v7_0u3, "8.0.1.0", 404), (.v8_0u1, "8.0.1.0", 200),
        (.v8_0u1, "8.0.2.0", 500), (.v8_0u3, "8.0.1.0", 200), (.v8_0u3, "9.0.0.0", 500),
        (.v9_0, "9.0.0.0", 200),
    ])
    func `a release serves what it knows`(
        release: LabRelease, asked: String, status: Int
    ) async throws {
        try await LabVCenterRig.with(release: release) { rig in
            let content = "ServiceInstance/ServiceInstance/content"
            let answer = try await rig.json(content, release: asked)
            #expect(answer.status == status)
            #expect((answer.object?["rootFolder"] != nil) == (status == 200))
        }
    }

    @Test(arguments: [
        (LabRelease.v7_0u3, 404, ""), (.v8_0u1, 404, ""), (.v8_0u2, 200, "8.0.2.0"),
        (.v9_0, 200, "8.0.3.0"),
    ])
    func `hello picks the first release that both know`(
        release: LabRelease, status: Int, chosen: String
    ) async throws {
        try await LabVCenterRig.with(release: release) { rig in
            let hello = "/api/vcenter/system?action=hello"
            let answer = try await rig.ask(
                hello, #"{"api_releases":["8.0.3.0","8.0.2.0","8.0.1.0"]}"#)
            #expect(answer.status == status)
            #expect(answer.object?["api_release"] as? String == (status == 200 ? chosen : nil))
            if status == 200 {
                let none = try await rig.ask(hello, #"{"api_releases":["7.0.3.0"]}"#)
                #expect(none.object?["api_release"] as? String == "")
                #expect(try await rig.ask(hello, #"{"api_releases":[]}"#).status == 400)
            }
        }
    }
}

/// An answer in JSON.
private struct JSONAnswer {
    var status: Int
    var headers: String
    var object: [String: Any]?
}

extension LabVCenterRig {
    fileprivate func ask(
        _ path: String, _ body: String?, session: String? = nil
    ) async throws -> JSONAnswer {
        var arguments = [
            "--silent", "--show-error", "--include", "--max-time", "30", "--globoff",
            "--cacert", address.certificatePEMPath, "-H", "Expect:",
        ]
        if let body {
            arguments += ["--data-binary", body, "-H", "Content-Type: application/json"]
        }
        if let session { arguments += ["-H", "vmware-api-session-id: \(session)"] }
        let answer = try await LabVCenterRig.run(
            "/usr/bin/curl", arguments + ["https://localhost:\(address.port)\(path)"],
            input: Data())
        let text = String(decoding: answer, as: UTF8.self)
        guard let gap = text.range(of: "\r\n\r\n") else { throw NoAnswer() }
        let headers = String(text[..<gap.lowerBound])
        let data = Data(text[gap.upperBound...].utf8)
        return JSONAnswer(
            status: headers.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0,
            headers: headers,
            object: data.isEmpty
                ? nil : try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    fileprivate struct NoAnswer: Error {}

    fileprivate func json(
        _ path: String, _ body: String? = nil, session: String? = nil, release: String = "8.0.3.0"
    ) async throws -> JSONAnswer {
        try await ask("/sdk/vim25/\(release)/\(path)", body, session: session)
    }

    fileprivate func jsonLogin() async throws -> String {
        let proof = try JSONSerialization.data(withJSONObject: [
            "userName": Self.user, "password": Self.password,
        ])
        let answer = try await json(
            "SessionManager/SessionManager/Login", String(decoding: proof, as: UTF8.self))
        let line = answer.headers.split(separator: "\r\n").first {
            $0.lowercased().hasPrefix("vmware-api-session-id: ")
        }
        guard let line else { throw NoAnswer() }
        return String(line.dropFirst("vmware-api-session-id: ".count))
    }
}
