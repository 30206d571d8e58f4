import PowerRun
import Testing

@testable import VSphere

/// What of the REST interface needs no server.
struct RESTTests {
    private static let types: [(type: String, reason: ClusterError.Reason)] = [
        ("ALREADY_EXISTS", .refused), ("ALREADY_IN_DESIRED_STATE", .wrongState),
        ("INVALID_ARGUMENT", .refused), ("NOT_ALLOWED_IN_CURRENT_STATE", .wrongState),
        ("RESOURCE_IN_USE", .refused), ("UNSUPPORTED", .refused), ("UNAUTHENTICATED", .starting),
        ("UNAUTHORIZED", .notPermitted), ("NOT_FOUND", .notFound), ("ERROR", .refused),
        ("RESOURCE_BUSY", .busy), ("RESOURCE_INACCESSIBLE", .refused),
        ("UNABLE_TO_ALLOCATE_RESOURCE", .noRoom), ("SERVICE_UNAVAILABLE", .starting),
        ("TIMED_OUT", .timedOut), ("SOMETHING_NEW", .refused),
    ]

    /// Trap (facts/vsphere.md 2.0.3): `/rest` was seen with other statuses for the same.
    @Test(arguments: types)
    func `the body's type decides in both shapes`(
        type: String, reason: ClusterError.Reason
    ) throws {
        let messages = #""messages":[{"id":"x","default_message":"its words","args":[]}]"#
        let bodies = [
            #"{"error_type":"\#(type)",\#(messages)}"#,
            #"{"type":"com.vmware.vapi.std.errors.\#(type.lowercased())","value":{\#(messages)}}"#,
            #"{"type":"com.vmware.vapi.std.errors.x","value":{"error_type":"\#(type)",\#(messages)}}"#,
        ]
        for body in bodies {
            let fault = try #require(RESTFault(Array(body.utf8)), "\(body)")
            #expect(fault.type == type)
            #expect(fault.reason == reason)
            #expect(fault.description == "\(type): its words")
        }
    }

    @Test(arguments: [
        "", "no healthy upstream", "<html>503</html>", "{}", "[]", "\"x\"",
        #"{"type":"com.vmware.vapi.std.errors."}"#, #"{"type":"about:blank","title":"x"}"#,
        #"{"error_type":5}"#,
    ])
    func `what is not of that interface has no type`(body: String) {
        #expect(RESTFault(Array(body.utf8)) == nil)
    }

    /// facts/vsphere.md 2.6, 2.7, 2.15.
    @Test func `each call has its path in each shape`() throws {
        let rows: [(RESTCall, api: String, rest: String)] = [
            (
                .shutDownGuest("vm-42"), "POST /api/vcenter/vm/vm-42/guest/power?action=shutdown",
                "POST /rest/vcenter/vm/vm-42/guest/power?action=shutdown"
            ),
            (
                .guestState("vm-42"), "GET /api/vcenter/vm/vm-42/guest/power",
                "GET /rest/vcenter/vm/vm-42/guest/power"
            ),
            (
                .power(.start, of: "vm-42"), "POST /api/vcenter/vm/vm-42/power?action=start",
                "POST /rest/vcenter/vm/vm-42/power/start"
            ),
            (
                .power(.stop, of: "vm-42"), "POST /api/vcenter/vm/vm-42/power?action=stop",
                "POST /rest/vcenter/vm/vm-42/power/stop"
            ),
            (
                .power(.suspend, of: "../x"), "POST /api/vcenter/vm/..%2Fx/power?action=suspend",
                "POST /rest/vcenter/vm/..%2Fx/power/suspend"
            ),
            (
                .shutDownAppliance(reason: "x"), "POST /api/appliance/shutdown?action=poweroff",
                "POST /rest/appliance/shutdown/poweroff"
            ),
            (.applianceState, "GET /api/appliance/shutdown", "GET /rest/appliance/shutdown"),
        ]
        for (call, api, rest) in rows {
            #expect("\(call.method) \(call.path(in: .api))" == api)
            #expect("\(call.method) \(call.path(in: .rest))" == rest)
        }
        let body = try #require(try RESTCall.shutDownAppliance(reason: "a \"b\"").body())
        #expect(
            String(decoding: body, as: UTF8.self).contains(#""reason":"a \"b\"""#)
                && String(decoding: body, as: UTF8.self).contains(#""delay":0"#))
    }
}
