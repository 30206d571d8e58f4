import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// Where guests are put, of recorded properties: what neither simulator shows.
struct LabelTests {
    private func objects(_ page: [String]) throws -> [ObjectProperties] {
        let reply = try ReplyReader.payload(of: Array(Recorded.page(page).utf8))
        return (reply["returnval"]?.all("objects") ?? []).map { content in
            var object = ObjectProperties(
                reference: content["obj"]?.reference ?? Reference(kind: "", id: ""))
            for property in content.all("propSet") {
                object.values[property["name"]?.text ?? ""] = property["val"]
            }
            for missing in content.all("missingSet") {
                object.unreadable[missing["path"]?.text ?? ""] = "NoPermission"
            }
            return object
        }
    }

    private static let places = [
        Recorded.object("Datacenter", "datacenter-2", Recorded.property("name", "string", "DC")),
        folder("group-v3", "vm", in: ("Datacenter", "datacenter-2")),
        folder("group-v10", "Prod%2fEU", in: ("Folder", "group-v3")),
        folder("group-v11", "Web %25", in: ("Folder", "group-v10")),
        folder("group-v12", "lost", in: ("Folder", "group-v99")),
        pool(
            "ResourcePool", "resgroup-8", "Resources", in: ("ClusterComputeResource", "domain-c8")),
        pool("ResourcePool", "resgroup-9", "High", in: ("ResourcePool", "resgroup-8")),
        pool("VirtualApp", "resgroup-v1", "shop", in: ("ResourcePool", "resgroup-9"))
            .replacing(
                "</objects>",
                with: Recorded.reference("parentFolder", "Folder", "group-v10") + "</objects>"),
        pool("VirtualApp", "resgroup-v2", "inner", in: ("VirtualApp", "resgroup-v1")),
        Recorded.object(
            "CustomFieldsManager", "CustomFieldsManager",
            Recorded.property(
                "field", "ArrayOfCustomFieldDef",
                """
                <CustomFieldDef><key>101</key><name>power</name><type>string</type></CustomFieldDef>
                <CustomFieldDef><key>102</key><name>owner</name><type>string</type></CustomFieldDef>
                """)),
    ]

    private static func folder(
        _ id: String, _ name: String, in parent: (kind: String, id: String)
    ) -> String {
        Recorded.object(
            "Folder", id, Recorded.property("name", "xsd:string", name),
            Recorded.reference("parent", parent.kind, parent.id))
    }

    private static func pool(
        _ kind: String, _ id: String, _ name: String, in parent: (kind: String, id: String)
    ) -> String {
        Recorded.object(
            kind, id, Recorded.property("name", "xsd:string", name),
            Recorded.reference("parent", parent.kind, parent.id))
    }

    private func labels(
        _ properties: String..., kinds: LabelKinds = .all, places: [String] = LabelTests.places
    ) throws -> GuestLabels {
        let vm = "<objects><obj type=\"VirtualMachine\">vm-1</obj>\(properties.joined())</objects>"
        let all = try objects(places + [vm])
        let guest = try #require(all.first { $0.reference.kind == "VirtualMachine" })
        return LabelReading(all, kinds: kinds, tags: [:]).labels(of: guest)
    }

    @Test func `a folder's path is as vCenter shows it, below the datacenter's own`() throws {
        #expect(try labels(Recorded.reference("parent", "Folder", "group-v3")).folder == "")
        #expect(
            try labels(Recorded.reference("parent", "Folder", "group-v11")).folder
                == "Prod/EU/Web %")
        #expect(try labels(Recorded.reference("parent", "Folder", "group-v12")).folder == nil)
        #expect(try labels(Recorded.reference("parent", "Folder", "group-v77")).folder == nil)
        #expect(
            try labels(Recorded.reference("parent", "Folder", "group-v11"), kinds: .tags).folder
                == nil)
    }

    @Test func `folders that go round in circles are unknown`() throws {
        let circle = [
            Self.folder("group-v1", "a", in: ("Folder", "group-v2")),
            Self.folder("group-v2", "b", in: ("Folder", "group-v1")),
        ]
        #expect(
            try labels(Recorded.reference("parent", "Folder", "group-v1"), places: circle).folder
                == nil)
    }

    @Test(arguments: ["resourcePool", "parentVApp"])
    func `a guest in a vApp has the vApp's place, with or without a pool of its own`(
        property: String
    ) throws {
        let inner = try labels(
            Recorded.reference(property, "VirtualApp", "resgroup-v2"),
            Recorded.reference("parentVApp", "VirtualApp", "resgroup-v2"))
        #expect(inner.resourcePool == "High/shop/inner")
        #expect(inner.folder == "Prod/EU")
    }

    @Test func `a pool's path is below the cluster's own`() throws {
        let root = Recorded.reference("resourcePool", "ResourcePool", "resgroup-8")
        let high = Recorded.reference("resourcePool", "ResourcePool", "resgroup-9")
        #expect(try labels(root).resourcePool == "")
        #expect(try labels(high).resourcePool == "High")
        #expect(try labels().resourcePool == nil)
    }

    @Test func `attributes have their definitions' names, and empty ones are not set`() throws {
        let values = Recorded.property(
            "customValue", "ArrayOfCustomFieldValue",
            """
            <CustomFieldValue xsi:type="CustomFieldStringValue"><key>101</key><value>late</value>\
            </CustomFieldValue>
            <CustomFieldValue xsi:type="CustomFieldStringValue"><key>102</key><value></value>\
            </CustomFieldValue>
            <CustomFieldValue xsi:type="CustomFieldStringValue"><key>999</key><value>x</value>\
            </CustomFieldValue>
            """)
        #expect(try labels(values).attributes == ["power": "late"])
        #expect(try labels().attributes == [:])
    }

    @Test func `what could not be read is counted, without templates`() throws {
        let template = Recorded.object(
            "VirtualMachine", "vm-1", Recorded.property("config.template", "xsd:boolean", "true"))
        let vms = [
            Recorded.vm("vm-2", "a", Recorded.reference("parent", "Folder", "group-v12")),
            Recorded.vm("vm-3", "b", Recorded.reference("parent", "Folder", "group-v3")),
        ]
        let all = try objects(Self.places.dropLast() + [template] + vms)
        let guests = all.filter { $0.reference.kind == "VirtualMachine" }
        #expect(guests.count { $0["config.template"]?.bool == true } == 1)
        func gaps(_ kinds: LabelKinds) -> [String] {
            LabelReading(all, kinds: kinds, tags: [:]).gaps(of: guests)
                .map { String($0.prefix { $0 != "," }) }
        }
        #expect(gaps(.folders) == ["the folder of 1 guests cannot be read"])
        #expect(
            gaps(.all) == [
                "the folder of 1 guests cannot be read",
                "the resource pool of 2 guests cannot be read",
                "the custom attributes of 2 guests cannot be read",
            ])
        #expect(gaps([]) == [])
    }

    @Test(arguments: [("6.7", RESTShape.rest), ("7.0.1.1", .rest), ("7.0.2.0", .api)])
    func `tags are asked for in the shape that the release has`(version: String, shape: RESTShape) {
        #expect(RESTShape(apiVersion: version) == shape)
        #expect(RESTShape(apiVersion: "8.0.3.0") == .api)
        #expect(
            RESTCall.tag("urn:x:1/../?a b").path(in: .api)
                == "/api/cis/tagging/tag/urn:x:1%2F..%2F%3Fa%20b")
        #expect(RESTCall.tag("..").path(in: .api) == "/api/cis/tagging/tag/%2E%2E")
    }
}
