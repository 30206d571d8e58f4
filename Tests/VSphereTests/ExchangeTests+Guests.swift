import PowerModel
import PowerRun
import Testing
import VSphere

/// What a VM's properties say of the guest, row by row (facts/vsphere.md 2.5, 2.8, 2.12, 4.4).
extension ExchangeTests {
    /// One VM among the others, and what it is taken for.
    struct NatureRow: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let nature: GuestNature
        var name = "any"
        var connection = "connected"
        var hasConfig = true
        var extra = ""
        var property = ""
    }

    private static func managed(_ key: String, _ type: String) -> String {
        Recorded.property(
            "config.managedBy", "ManagedByInfo",
            "<extensionKey>\(key)</extensionKey><type>\(type)</type>")
    }

    private static func role(_ role: Int) -> String {
        Recorded.property(
            "config.ftInfo", "FaultToleranceConfigInfo",
            "<role>\(role)</role><instanceUuids>x</instanceUuids>")
    }

    private static let eam = "com.vmware.vim.eam"
    private static let natures = [
        NatureRow(testDescription: "nothing special", nature: .ordinary),
        NatureRow(
            testDescription: "1. HDCS.agent is true", nature: .vcls,
            extra: Recorded.option("HDCS.agent", "true")),
        NatureRow(
            testDescription: "HDCS.agent is TRUE", nature: .vcls,
            extra: Recorded.option("HDCS.agent", "TRUE")),
        NatureRow(
            testDescription: "HDCS.agent is false", nature: .ordinary,
            extra: Recorded.option("HDCS.agent", "false")),
        NatureRow(
            testDescription: "2. vCLSCRX.agent is true", nature: .embeddedVCLS,
            extra: Recorded.option("vCLSCRX.agent", "true")),
        NatureRow(
            testDescription: "both are true", nature: .embeddedVCLS,
            extra: Recorded.option("HDCS.agent", "true") + Recorded.option("vCLSCRX.agent", "true")),
        NatureRow(
            testDescription: "3. EAM manages it as a cluster's agent", nature: .vcls,
            property: managed(eam, "cluster-agent")),
        NatureRow(
            testDescription: "3. EAM manages it as something else", nature: .agent,
            property: managed(eam, "nsx-agent")),
        NatureRow(
            testDescription: "3. vCenter manages it as vCLS", nature: .embeddedVCLS,
            property: managed("VirtualCenter", "vcls-entity")),
        NatureRow(
            testDescription: "vCenter manages it as something else", nature: .agent,
            property: managed("VirtualCenter", "other")),
        NatureRow(
            testDescription: "somebody else's guest of that type", nature: .ordinary,
            property: managed("com.example.cloud", "cluster-agent")),
        NatureRow(
            testDescription: "4. the guest id of a container runtime", nature: .embeddedVCLS,
            property: Recorded.property("config.guestId", "xsd:string", "crxSys1Guest")),
        NatureRow(
            testDescription: "5. a name alone, where all else could be read", nature: .ordinary,
            name: "vCLS-4f00"),
        NatureRow(
            testDescription: "5. an old name alone", nature: .ordinary, name: "vCLS (2)"),
        NatureRow(
            testDescription: "5. a name, where nothing else could be read", nature: .vcls,
            name: "vCLS-4f00", hasConfig: false),
        NatureRow(
            testDescription: "a template", nature: .template,
            property: Recorded.property("config.template", "xsd:boolean", "true")),
        NatureRow(testDescription: "an FT primary", nature: .ordinary, property: role(1)),
        NatureRow(testDescription: "an FT secondary", nature: .ftSecondary, property: role(2)),
        NatureRow(
            testDescription: "a second FT secondary", nature: .ftSecondary, property: role(3)),
        NatureRow(testDescription: "orphaned", nature: .unusable, connection: "orphaned"),
        NatureRow(
            testDescription: "inaccessible", nature: .unusable, connection: "inaccessible",
            hasConfig: false),
        NatureRow(
            testDescription: "invalid, as what is encrypted and locked", nature: .unusable,
            connection: "invalid", hasConfig: false),
        NatureRow(
            testDescription: "disconnected", nature: .ordinary, connection: "disconnected"),
    ]

    @Test func `every row of the facts says what kind of guest it is`() async throws {
        let rows = Self.natures.enumerated().map { index, row in
            Recorded.vm(
                "vm-\(100 + index)", row.name, connection: row.connection, config: row.hasConfig,
                extra: row.extra, row.property)
        }
        let guests = try await guests(rows)
        for (index, row) in Self.natures.enumerated() {
            #expect(guests["vm-\(100 + index)"]?.nature == row.nature, "\(row.testDescription)")
        }
    }

    @Test func `every row of the facts says what stands in a guest's way`() async throws {
        func text(_ name: String, _ value: String) -> String {
            Recorded.property(name, "xsd:string", value)
        }
        func disabled(_ methods: String...) -> String {
            Recorded.property(
                "disabledMethod", "ArrayOfString",
                methods.map { "<string>\($0)</string>" }.joined())
        }
        let key = Recorded.property(
            "config.keyId", "CryptoKeyId",
            "<keyId>k</keyId><providerId><id>kms-1</id></providerId>")
        let bareKey = Recorded.property("config.keyId", "CryptoKeyId", "<keyId>k</keyId>")
        let tpm = Recorded.property("summary.config.tpmPresent", "xsd:boolean", "true")
        let question = Recorded.property(
            "runtime.question", "VirtualMachineQuestionInfo",
            """
            <id>7</id><text>Moved?</text><choice><choiceInfo><label></label><summary/><key>0</key>\
            </choiceInfo><choiceInfo><label>I _did</label><summary>x</summary><key>1</key>\
            </choiceInfo><defaultIndex>0</defaultIndex></choice>\
            <message><id>msg.uuid.altered</id></message>
            """)
        let rows: [(String, GuestEncryption?, [String]?)] = [
            ("", nil, nil), (key, GuestEncryption(keyProvider: "kms-1"), nil),
            (bareKey, GuestEncryption(keyProvider: nil), nil),
            (key + tpm, GuestEncryption(keyProvider: "kms-1", hasTPM: true), nil),
            (text("runtime.cryptoState", "safe"), nil, nil),
            (
                text("runtime.cryptoState", "locked"),
                GuestEncryption(keyProvider: nil, isLocked: true), nil
            ),
            (disabled("PowerOnVM_Task", "ShutdownGuest"), nil, ["ShutdownGuest"]),
            (disabled("PowerOnVM_Task", "Destroy_Task"), nil, nil),
        ]
        let off = Recorded.vm(
            "vm-150", "off", power: "poweredOff", disabled("ShutdownGuest", "PowerOffVM_Task"))
        let asking = Recorded.vm("vm-151", "asking", question)
        let guests = try await guests(
            rows.enumerated().map { Recorded.vm("vm-\(100 + $0)", "g", $1.0) } + [off, asking])
        for (index, row) in rows.enumerated() {
            #expect(guests["vm-\(100 + index)"]?.encryption == row.1, "\(row.0)")
            #expect(guests["vm-\(100 + index)"]?.disabledMethods == row.2, "\(row.0)")
        }
        #expect(guests["vm-150"]?.disabledMethods == nil)
        #expect(
            guests["vm-151"]?.question
                == GuestQuestion(
                    id: "7", text: "Moved?", messages: ["msg.uuid.altered"],
                    choices: [.init(key: "0", label: "0"), .init(key: "1", label: "I _did")]))
    }

    /// The guests of a cluster that has these VMs, by reference.
    private func guests(_ rows: [String]) async throws -> [String: Guest] {
        let page = Recorded.page(
            [Recorded.cluster("domain-c8", "Prod"), Recorded.host("host-9", "esx1")] + rows)
        let exchange = try Exchange(["RetrievePropertiesEx.1": page])
        let guests = try await exchange.cluster.snapshot().inventory.guests
        return Dictionary(
            guests.map { ($0.reference ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    }
}
