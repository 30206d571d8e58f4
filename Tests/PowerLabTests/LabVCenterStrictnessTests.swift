import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// What the schema does not allow is refused with a fault, and never executed.
struct LabVCenterStrictnessTests {
    @Test func `a request the schema does not allow is refused and nothing is done`() async throws {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            for wrong in WrongRequest.all {
                let body = Data(wrong.document.utf8)
                let answer = try await rig.post(body, cookie: cookie, action: wrong.action)
                #expect(answer.status == 500, "\(wrong.name): \(answer.body)")
                #expect(try faultType(answer.body) == wrong.fault, "\(wrong.name)")
            }
            // Longer than a task takes: what had been taken would be done by now.
            try await Task.sleep(for: LabVCenterServer.taskTime * 3)
            #expect(rig.world.log.isEmpty)
            let right = try await rig.post(Data(Self.reconfigure.utf8), cookie: cookie)
            #expect(right.status == 200, "\(right.body)")
            try await Task.sleep(for: LabVCenterServer.taskTime * 3)
            #expect(rig.world.currentAutomation().ha == false)
        }
    }

    @Test func `a request that was cut off is refused wherever it was cut`() async throws {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            let whole = Data(Self.reconfigure.utf8)
            for length in stride(from: 0, to: whole.count, by: 50) {
                let answer = try await rig.post(whole.prefix(length), cookie: cookie)
                #expect(answer.status == 500)
                #expect(try faultType(answer.body) == "InvalidRequest", "after \(length) bytes")
            }
            try await Task.sleep(for: LabVCenterServer.taskTime * 3)
            #expect(rig.world.log.isEmpty)
        }
    }

    @Test func `a client that drops the cookie's quotes is not logged in`() async throws {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            let bare = cookie.replacing("\"", with: "")
            #expect(cookie != bare)
            let call = Data(Self.reconfigure.utf8)
            let answer = try await rig.post(call, cookie: bare)
            #expect(try faultType(answer.body) == "NotAuthenticated")
            #expect(try await rig.post(call, cookie: cookie).status == 200)
        }
    }

    @Test func `no answer says a type with the letters xsi:type`() async throws {
        try await LabVCenterRig.with { rig in
            let cookie = try await rig.login()
            let read = try await rig.post(
                Data(
                    LabVCenterRig.envelope(
                        """
                        <RetrievePropertiesEx xmlns="urn:vim25">\
                        <_this type="PropertyCollector">propertyCollector</_this><specSet>\
                        <propSet><type>ClusterComputeResource</type>\
                        <pathSet>configurationEx</pathSet><pathSet>host</pathSet></propSet>\
                        <objectSet><obj type="ClusterComputeResource">domain-c8</obj></objectSet>\
                        </specSet><options/></RetrievePropertiesEx>
                        """
                    ).utf8), cookie: cookie)
            #expect(read.status == 200)
            #expect(read.body.contains("q1:type=\"ClusterConfigInfoEx\""))
            #expect(read.body.contains("q1:type=\"ArrayOfManagedObjectReference\""))
            #expect(!read.body.contains("xsi:type"))
        }
    }

    static let spec = """
        <spec xsi:type="ClusterConfigSpecEx"><dasConfig><enabled>false</enabled></dasConfig>\
        <drsConfig><defaultVmBehavior>manual</defaultVmBehavior></drsConfig></spec>
        """

    static let reconfigure = reconfiguring(spec)

    static func reconfiguring(_ spec: String, namespace: String = "urn:vim25") -> String {
        LabVCenterRig.envelope(
            """
            <ReconfigureComputeResource_Task xmlns="\(namespace)">\
            <_this type="ClusterComputeResource">domain-c8</_this>\(spec)\
            <modify>true</modify></ReconfigureComputeResource_Task>
            """)
    }
}

/// The concrete type of the fault in an answer.
func faultType(_ body: String) throws -> String {
    let envelope = try readXML(Array(body.utf8))
    let fault = try #require(envelope.children.first?.children.first)
    #expect(fault.name == "Fault")
    let detail = try #require(fault.children.first { $0.name == "detail" }?.children.first)
    let type = try #require(detail.attributes[LabXMLName(VimDecoder.instance, "type")])
    #expect(detail.namespace == "urn:vim25")
    #expect(detail.name == type + "Fault")
    return type
}

/// A request with one thing wrong.
private struct WrongRequest {
    var name: String
    var document: String
    var fault = "InvalidRequest"
    var action: String? = "urn:vim25/8.0.3.0"

    private typealias Tests = LabVCenterStrictnessTests

    private static let das = "<dasConfig><enabled>false</enabled></dasConfig>"

    private static func cluster(_ inside: String) -> String {
        Tests.reconfiguring("<spec xsi:type=\"ClusterConfigSpecEx\">\(inside)</spec>")
    }

    static let all: [WrongRequest] = [
        WrongRequest(
            name: "fields in the wrong order",
            document: cluster(
                "<drsConfig><defaultVmBehavior>manual</defaultVmBehavior></drsConfig>" + das)),
        WrongRequest(
            name: "parameters in the wrong order",
            document: Tests.reconfiguring("<modify>true</modify>" + Tests.spec)
                .replacing("</spec><modify>true</modify>", with: "</spec>")),
        WrongRequest(
            name: "a base class's field after its own",
            document: cluster(das + "<spbmEnabled>true</spbmEnabled>")),
        WrongRequest(name: "an unknown element", document: cluster(das + "<nonsense>1</nonsense>")),
        WrongRequest(
            name: "an element twice",
            document: cluster(
                "<dasConfig><enabled>false</enabled><enabled>true</enabled></dasConfig>")),
        WrongRequest(
            name: "no xsi:type where a derived type is needed",
            document: Tests.reconfiguring("<spec>\(das)</spec>")),
        WrongRequest(
            name: "a type that is not derived from the declared one",
            document: Tests.reconfiguring("<spec xsi:type=\"OptionValue\"><key>a</key></spec>"),
            fault: "InvalidType"),
        WrongRequest(
            name: "a type of a prefix that is not declared",
            document: Tests.reconfiguring("<spec q9:type=\"ClusterConfigSpecEx\">\(das)</spec>")),
        WrongRequest(
            name: "a required element missing",
            document: Tests.reconfigure.replacing("<modify>true</modify>", with: "")),
        WrongRequest(
            name: "an empty element for an unset one",
            document: cluster("<dasConfig><enabled></enabled></dasConfig>")),
        WrongRequest(
            name: "text between elements", document: cluster(das + "and more")),
        WrongRequest(
            name: "a value no boolean has",
            document: cluster("<dasConfig><enabled>no</enabled></dasConfig>")),
        WrongRequest(
            name: "a value the enumeration does not have",
            document: cluster(
                "<drsConfig><defaultVmBehavior>off</defaultVmBehavior></drsConfig>"),
            fault: "InvalidArgument"),
        WrongRequest(
            name: "a namespace that is not vim25's",
            document: Tests.reconfiguring(Tests.spec, namespace: "urn:vim26")),
        WrongRequest(
            name: "one element in no namespace",
            document: cluster("<dasConfig xmlns=\"\"><enabled>false</enabled></dasConfig>")),
        WrongRequest(
            name: "an envelope of SOAP 1.2",
            document: Tests.reconfigure.replacing(
                "http://schemas.xmlsoap.org/soap/envelope/",
                with: "http://www.w3.org/2003/05/soap-envelope")),
        WrongRequest(
            name: "a document type",
            document: Tests.reconfigure.replacing(
                "<soapenv:Envelope", with: "<!DOCTYPE x [<!ENTITY e \"false\">]><soapenv:Envelope")
        ),
        WrongRequest(name: "two calls", document: twice),
        WrongRequest(
            name: "something after the end", document: Tests.reconfigure + "<more/>"),
        WrongRequest(
            name: "a reference without a type",
            document: Tests.reconfigure.replacing(
                "<_this type=\"ClusterComputeResource\">", with: "<_this>")),
        WrongRequest(
            name: "an attribute nobody knows",
            document: Tests.reconfigure.replacing("<modify>", with: "<modify fast=\"yes\">")),
        WrongRequest(
            name: "a method of another type",
            document: Tests.reconfigure.replacing(
                "type=\"ClusterComputeResource\">domain-c8", with: "type=\"HostSystem\">host-9"),
            fault: "MethodNotFound"),
        WrongRequest(
            name: "an object that does not exist",
            document: Tests.reconfigure.replacing("domain-c8", with: "domain-c9"),
            fault: "ManagedObjectNotFound"),
        WrongRequest(
            name: "a field newer than the version",
            document: cluster(
                "<systemVMsConfig><deploymentMode>ABSENT</deploymentMode></systemVMsConfig>"),
            action: "urn:vim25/8.0.1.0"),
        WrongRequest(name: "no SOAPAction", document: Tests.reconfigure, action: nil),
        WrongRequest(
            name: "a version nobody knows", document: Tests.reconfigure,
            action: "urn:vim25/8.0.9.9"),
        WrongRequest(name: "no document at all", document: ""),
    ]

    private static var twice: String {
        let call = Tests.reconfigure
        let start = call.range(of: "<ReconfigureComputeResource_Task")
        let end = call.range(of: "</soapenv:Body>")
        guard let start, let end else { return "" }
        return call.replacing(
            "</soapenv:Body>", with: call[start.lowerBound..<end.lowerBound] + "</soapenv:Body>")
    }
}
