/// Replies composed from the facts' wire descriptions (facts/vsphere.md 2.0 to 2.14), as vCenter 7
/// and 8 and the simulator write them: prefixes declared on the element that uses them, arrays
/// wrapped, unset properties absent.
enum Recorded {
    static let versions = """
        <?xml version="1.0" encoding="UTF-8" ?>
        <!-- Copyright 2008-2012 VMware, Inc.  All rights reserved. -->
        <namespaces version="1.0">
         <namespace>
          <name>urn:vim25</name>
          <version>9.0.0.0</version>
          <priorVersions>
           <version>8.0.3.0</version>
           <version>7.0.3.0</version>
           <version>6.5</version>
          </priorVersions>
         </namespace>
         <namespace><name>urn:vsan</name><version>9.9</version></namespace>
        </namespaces>
        """

    static func envelope(_ body: String) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"
         xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
         xmlns:xsd="http://www.w3.org/2001/XMLSchema"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <soapenv:Body>
        \(body)
        </soapenv:Body>
        </soapenv:Envelope>
        """
    }

    static func returning(_ method: String, _ inside: String) -> String {
        envelope("<\(method)Response xmlns=\"urn:vim25\">\(inside)</\(method)Response>")
    }

    static func fault(_ type: String, _ fields: String = "", words: String = "words") -> String {
        envelope(
            """
            <soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>\(words)</faultstring>
            <detail><RuntimeFaultFault xmlns="urn:vim25" xsi:type="\(type)">\(fields)\
            </RuntimeFaultFault></detail></soapenv:Fault>
            """)
    }

    static let content = returning(
        "RetrieveServiceContent",
        """
        <returnval><rootFolder type="Folder">group-d1</rootFolder>
        <propertyCollector type="PropertyCollector">propertyCollector</propertyCollector>
        <viewManager type="ViewManager">ViewManager</viewManager>
        <about><name>VMware vCenter Server</name>
        <fullName>VMware vCenter Server 8.0.3 build-24022515</fullName><vendor>VMware, Inc.</vendor>
        <version>8.0.3</version><build>24022515</build><osType>linux-x64</osType>
        <productLineId>vpx</productLineId><apiType>VirtualCenter</apiType>
        <apiVersion>8.0.3.0</apiVersion>
        <instanceUuid>5F0A1D3C-0000-4000-8000-00000000C0DE</instanceUuid></about>
        <setting type="OptionManager">VpxSettings</setting>
        <sessionManager type="SessionManager">SessionManager</sessionManager></returnval>
        """)

    static let login = returning(
        "Login", "<returnval><key>52aa</key><userName>vpower</userName></returnval>")
    static let view = returning(
        "CreateContainerView",
        "<returnval type=\"ContainerView\">session[52aa]52bb</returnval>")
    static let void = ["DestroyView", "DestroyPropertyCollector", "Logout", "ShutdownGuest"]

    // MARK: Objects

    static func property(_ name: String, _ type: String, _ value: String) -> String {
        // The prefix is declared here and nowhere else, as the simulators do.
        """
        <propSet><name>\(name)</name><val xmlns:X="http://www.w3.org/2001/XMLSchema-instance" \
        X:type="\(type)">\(value)</val></propSet>
        """
    }

    static func reference(_ name: String, _ kind: String, _ id: String) -> String {
        """
        <propSet><name>\(name)</name><val type="\(kind)" xsi:type="ManagedObjectReference">\(id)\
        </val></propSet>
        """
    }

    static func object(_ kind: String, _ id: String, _ properties: String...) -> String {
        "<objects><obj type=\"\(kind)\">\(id)</obj>\(properties.joined())</objects>"
    }

    static func vm(
        _ id: String, _ name: String, host: String = "host-9", power: String = "poweredOn",
        connection: String = "connected", config: Bool = true, extra: String = "",
        _ more: String...
    ) -> String {
        var text = property("name", "xsd:string", name)
        text += reference("runtime.host", "HostSystem", host)
        text += property("runtime.powerState", "VirtualMachinePowerState", power)
        text += property("runtime.connectionState", "VirtualMachineConnectionState", connection)
        text += property("summary.config.vmPathName", "xsd:string", "[ds1] \(id)/\(id).vmx")
        text += property("guest.toolsRunningStatus", "xsd:string", "guestToolsRunning")
        if config {
            let digits = id.filter(\.isNumber)
            text += property(
                "config.instanceUuid", "xsd:string", "502E0000-0000-0000-0000-00000000AB\(digits)")
            text += property("config.template", "xsd:boolean", "false")
            text += property("config.guestId", "xsd:string", "debian12_64Guest")
            text += property("config.extraConfig", "ArrayOfOptionValue", extra)
        }
        return "<objects><obj type=\"VirtualMachine\">\(id)</obj>\(text)\(more.joined())</objects>"
    }

    static func host(
        _ id: String, _ name: String, cluster: String = "domain-c8",
        connection: String = "connected",
        agent: Bool = true
    ) -> String {
        let das = """
            <propSet><name>runtime.dasHostState</name><val xsi:type="ClusterDasFdmHostState">\
            <state>connectedToMaster</state><stateReporter type="HostSystem">host-9</stateReporter>\
            </val></propSet>
            """
        return object(
            "HostSystem", id, property("name", "xsd:string", name),
            reference("parent", "ClusterComputeResource", cluster),
            property("runtime.connectionState", "HostSystemConnectionState", connection),
            property("runtime.inMaintenanceMode", "xsd:boolean", "false"), agent ? das : "")
    }

    static func option(_ key: String, _ value: String) -> String {
        """
        <OptionValue xsi:type="OptionValue"><key>\(key)</key><value xsi:type="xsd:string">\(value)\
        </value></OptionValue>
        """
    }

    static func cluster(_ id: String, _ name: String, more: String = "") -> String {
        object(
            "ClusterComputeResource", id, property("name", "xsd:string", name),
            property(
                "configurationEx", "ClusterConfigInfoEx",
                """
                <dasConfig><enabled>true</enabled><hostMonitoring>enabled</hostMonitoring></dasConfig>
                <drsConfig><enabled>true</enabled><enableVmBehaviorOverrides>true\
                </enableVmBehaviorOverrides><defaultVmBehavior>partiallyAutomated\
                </defaultVmBehavior><vmotionRate>3</vmotionRate></drsConfig>
                <dpmConfigInfo><enabled>true</enabled></dpmConfigInfo>\(more)
                """))
    }

    /// Everything a snapshot has to cope with, in one page or two.
    static let objects: [String] = [
        cluster("domain-c8", "Prod"), cluster("domain-c80", "Lab%2fTest"),
        host("host-9", "esx1.example.org"), host("host-10", "esx2.example.org"),
        host("host-11", "esx3.example.org", connection: "notResponding", agent: false),
        host("host-90", "other.example.org", cluster: "domain-c80"),
        vm("vm-11", "web &amp; &lt;db&gt; &#x65E5;&#10;two"),
        vm("vm-12", "vCLS-4f00", extra: option("a", "true") + option("HDCS.agent", "true")),
        vm(
            "vm-13", "nsx",
            property(
                "config.managedBy", "ManagedByInfo",
                "<extensionKey>com.vmware.vim.eam</extensionKey><type>nsx-agent</type>")),
        vm("vm-14", "on lost host", host: "host-11"),
        vm("vm-15", "broken", connection: "inaccessible", config: false),
        vm("vm-16", "elsewhere", host: "host-90"),
        vm("vm-17", "asleep", power: "suspended"),
        vm(
            "vm-18", "shadow",
            property(
                "config.ftInfo", "FaultToleranceSecondaryConfigInfo",
                "<role>2</role><instanceUuids>x</instanceUuids>")),
        vm("vm-19", "vCLS (1)"),
        vm(
            "vm-20", "embedded",
            property(
                "config.managedBy", "ManagedByInfo",
                "<extensionKey>VirtualCenter</extensionKey><type>vcls-entity</type>")),
    ]

    static func page(
        _ objects: [String], method: String = "RetrievePropertiesEx", token: String? = nil
    ) -> String {
        let token = token.map { "<token>\($0)</token>" } ?? ""
        return returning(method, "<returnval>\(token)\(objects.joined())</returnval>")
    }

    static let snapshot = page(objects)
}
