import Foundation
import PowerModel
import Testing
import Transport

@testable import VSphere

/// VI JSON as the facts describe it (facts/vsphere.md 1.3, 2.0.2).
@Suite struct JSONWireTests {
    private func elements(_ json: String) throws -> [Element] {
        try JSONReply.elements("returnval", in: Array(json.utf8))
    }

    private func response(_ status: Int, _ body: String) -> HTTPSResponse {
        HTTPSResponse(status: status, headers: [], body: Array(body.utf8))
    }

    @Test func `a request is written as the facts have it`() throws {
        let call = VimCall(
            method: .retrievePropertiesEx,
            object: Reference(kind: "PropertyCollector", id: "session[52]a/b"),
            arguments: VimFields {
                $0.add("specSet", all: [1], "PropertyFilterSpec") { _, spec in
                    spec.add("pathSet", all: ["name", "a\"b"])
                    spec.add("obj", Reference(kind: "Task", id: "task-7"))
                }
                $0.add("spec", derived: "ClusterConfigSpecEx") { $0.add("enabled", false) }
                $0.add("value", boxed: "boolean", "true")
                $0.add("other", boxed: "string", "false")
                $0.add("maxObjects", 500)
            }, operation: "o")
        let wire = JSONWire(version: "8.0.1.0", session: "abc")
        let request = try wire.request(call, timeout: .seconds(1), stallLimit: nil)
        #expect(
            request.path
                == "/sdk/vim25/8.0.1.0/PropertyCollector/session%5B52%5Da%2Fb/RetrievePropertiesEx")
        #expect(request.headers.contains(.init("vmware-api-session-id", "abc")))
        let body = String(decoding: try #require(request.body), as: UTF8.self)
        #expect(
            body == """
                {"maxObjects":500,"other":{"_typeName":"string","_value":"false"},\
                "spec":{"_typeName":"ClusterConfigSpecEx","enabled":false},\
                "specSet":[{"_typeName":"PropertyFilterSpec",\
                "obj":{"_typeName":"ManagedObjectReference","type":"Task","value":"task-7"},\
                "pathSet":["name","a\\"b"]}],\
                "value":{"_typeName":"boolean","_value":true}}
                """)
    }

    @Test func `an answer reads as the same in XML does`() throws {
        let page = """
            {"_typeName":"RetrieveResult","token":"3","objects":[{"_typeName":"ObjectContent",\
            "obj":{"_typeName":"ManagedObjectReference","type":"VirtualMachine","value":"vm-1"},\
            "propSet":[{"name":"name","val":{"_typeName":"string","_value":"a & b"}},\
            {"name":"on","val":{"_typeName":"boolean","_value":true}},\
            {"name":"size","val":{"_typeName":"long","_value":9007199254740993}},\
            {"name":"hosts","val":{"_typeName":"ArrayOfManagedObjectReference","_value":[\
            {"_typeName":"ManagedObjectReference","type":"HostSystem","value":"host-9"}]}},\
            {"name":"words","val":{"_typeName":"ArrayOfString","_value":["x","y"]}}],\
            "missingSet":[{"path":"config","fault":{"_typeName":"LocalizedMethodFault",\
            "fault":{"_typeName":"NoPermission"},"localizedMessage":"no"}}]}]}
            """
        let found = try elements(page)
        let object = try #require(try VimClient.objects(in: found[0]).first)
        #expect(object.reference == Reference(kind: "VirtualMachine", id: "vm-1"))
        #expect(object["name"]?.text == "a & b")
        #expect(object["on"]?.bool == true)
        #expect(object["size"]?.text == "9007199254740993")
        let hosts = object["hosts"]?.all("ManagedObjectReference").map(\.reference)
        #expect(hosts == [Reference(kind: "HostSystem", id: "host-9")])
        #expect(object["words"]?.all("string").map(\.text) == ["x", "y"])
        #expect(object.unreadable == ["config": "NoPermission"])
        #expect(found[0]["token"]?.text == "3")
        #expect(try elements("null") == [])
        #expect(try elements("[]") == [])
        #expect(try elements("\"3d9c\"").first?.text == "3d9c")
    }

    @Test(arguments: [
        "", "{", "[[1]]", "{\"_typeName\":\"ArrayOfX\"", "{\"_value\":[1]}",
        "{\"_typeName\":\"ManagedObjectReference\",\"type\":\"Task\"}", "nul",
        String(repeating: "[", count: 200), String(repeating: "{\"a\":", count: 150),
    ])
    func `what is no answer is an error`(json: String) {
        #expect(throws: JSONReply.Problem.self) { try elements(json) }
    }

    @Test func `a fault is known by its type, whatever its status says`() throws {
        let wire = JSONWire(version: "8.0.1.0", session: nil)
        let body = """
            {"_typeName":"InvalidPowerState","existingState":"poweredOff","faultstring":"words"}
            """
        do throws(CallFailure) {
            _ = try wire.result(response(500, body), of: .shutdownGuest)
            Issue.record("it is a fault")
        } catch {
            guard case .fault(let fault) = error else { throw error }
            #expect(fault.type == "InvalidPowerState")
            #expect(fault.existingPowerState == "poweredOff")
            #expect(fault.message == "words")
        }
        // A proxy's page, and words that merely look like a fault.
        for page in ["<html>", "no healthy upstream", "{}", "[{\"_typeName\":\"A\"},{}]"] {
            #expect(throws: CallFailure.status(500)) {
                try wire.result(response(500, page), of: .shutdownGuest)
            }
        }
        #expect(throws: CallFailure.status(503)) {
            try wire.result(response(503, "{\"_typeName\":\"NoPermission\"}"), of: .shutdownGuest)
        }
        #expect(try wire.result(response(204, ""), of: .shutdownGuest).children == [])
        #expect(
            try wire.result(response(200, "true"), of: .shutdownGuest)["returnval"]?.bool == true)
    }
}
