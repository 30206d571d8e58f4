import Foundation
import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// What govmomi's simulator cannot show: paging, parts of updates, HA, faults, lost sessions.
/// A server of ours plays recorded replies over TLS and writes down what it was asked.
@Suite(.serialized) struct ExchangeTests {
    /// A cluster in front of a server that plays these replies, by file name without `.xml`.
    struct Exchange {
        let certificate: Certificate
        let scratch: Scratch
        let server: LocalServer
        let cluster: VCenterCluster

        init(
            _ replies: [String: String], name: String = "Prod",
            limits: VCenterLimits = VCenterLimits()
        ) throws {
            certificate = try Certificate()
            scratch = try Scratch()
            var all = [
                "versions.1": Recorded.versions, "RetrieveServiceContent.1": Recorded.content,
                "Login.1": Recorded.login, "Login.2": Recorded.login,
                "CreateContainerView.1": Recorded.view,
                "RetrievePropertiesEx.1": Recorded.snapshot,
                "QueryOptions.1": Recorded.fault("InvalidName", "<name>x</name>"),
                "UpdateOptions.1": Recorded.returning("UpdateOptions", ""),
                "CreatePropertyCollector.1": Recorded.returning(
                    "CreatePropertyCollector",
                    "<returnval type=\"PropertyCollector\">session[1]pc</returnval>"),
                "CreateFilter.1": Recorded.returning(
                    "CreateFilter", "<returnval type=\"PropertyFilter\">session[1]f</returnval>"),
            ]
            for method in Recorded.void { all["\(method).1"] = Recorded.returning(method, "") }
            for (name, text) in all.merging(replies, uniquingKeysWith: { $1 }) {
                try scratch.write("\(name).xml", text)
            }
            server = try LocalServer.https(certificate, folder: scratch.url)
            cluster = VCenterCluster(
                cluster: ClusterName(name),
                site: VCenterSite(
                    endpoint: Endpoint(host: "127.0.0.1", port: server.port), user: "vpower",
                    password: .environment(name: "T"), trust: .pinned(sha256: certificate.sha256)),
                password: Secret("p<>&"), limits: limits)
        }

        struct Call: Decodable {
            var method: String
            var headers: [String: String]
            var body: String

            /// The arguments as they were sent, white space and all.
            var arguments: String {
                let body = body[...]
                guard let start = body.range(of: "</_this>"),
                    let end = body.range(of: "</\(method)></soapenv:Body>")
                else { return "" }
                return String(body[start.upperBound..<end.lowerBound])
            }
        }

        /// The calls so far, in order.
        func calls() async throws -> [Call] {
            // What it says after it has heard this comes after all that it said before.
            let mark = UUID().uuidString
            try server.tell(mark)
            guard try await server.says({ $0.contains(mark) }) else {
                throw Missing(description: "the server does not answer any more")
            }
            return try server.said.filter { $0.contains("\"method\"") }
                .map { try JSONDecoder().decode(Call.self, from: Data($0.utf8)) }
        }
    }

    private func error(_ body: () async throws -> Void) async -> ClusterError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? ClusterError
        }
    }

    // MARK: Servers that do not behave

    @Test(arguments: ["stall", "drip", "flood"], ["RetrievePropertiesEx", "ShutdownGuest"])
    func `a vCenter that never answers, answers by the byte or sends 10 GB costs one bounded wait`(
        how: String, method: String
    ) async throws {
        var limits = VCenterLimits()
        limits.call = .seconds(2)
        limits.read = .seconds(2)
        let replies =
            method == "ShutdownGuest"
            ? ["ShutdownGuest.1": how] : ["RetrievePropertiesEx.2": how]
        let exchange = try Exchange(replies, limits: limits)
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        let before = try peakMemoryKiB()
        let began = ContinuousClock.now
        let problem = await error {
            if method == "ShutdownGuest" {
                try await exchange.cluster.shutDown(guest)
            } else {
                _ = try await exchange.cluster.snapshot()
            }
        }
        #expect(ContinuousClock.now - began < .seconds(4))
        #expect([.timedOut, .badAnswer].contains(problem?.reason), "\(problem?.description ?? "")")
        // The largest answer that is taken is 64 MB; while it grows, twice that.
        #expect(try peakMemoryKiB() - before < 300_000)
        // And the next call is answered.
        try await exchange.cluster.logIn()
    }

    /// The most memory this process has ever had.
    private func peakMemoryKiB() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
    }

    // MARK: Reading

    @Test(arguments: [("", false), ("true", true), ("false", false)])
    func `vSAN is seen where it is on`(enabled: String, expected: Bool) async throws {
        let vsan = "<vsanConfigInfo><enabled>\(enabled)</enabled></vsanConfigInfo>"
        let cluster = Recorded.cluster("domain-c8", "Prod", more: enabled.isEmpty ? "" : vsan)
        let page = Recorded.page([cluster] + Recorded.objects.dropFirst())
        let exchange = try Exchange(["RetrievePropertiesEx.1": page])
        #expect(try await exchange.cluster.snapshot().hasVSAN == expected)
    }

    @Test func `a snapshot tells every kind of guest apart`() async throws {
        let exchange = try Exchange([:])
        let snapshot = try await exchange.cluster.snapshot()
        #expect(snapshot.reference == "domain-c8")
        #expect(
            snapshot.automation
                == Automation(
                    ha: true, drsEnabled: true, drsLevel: .partiallyAutomated,
                    drsOverrides: true, dpm: true, vcls: .unset))
        #expect(
            snapshot.inventory.hosts.map { "\($0.name) \($0.connected) \($0.haAgentConfigured)" }
                == [
                    "esx1.example.org true true", "esx2.example.org true true",
                    "esx3.example.org false false",
                ])
        let guests = Dictionary(
            uniqueKeysWithValues: snapshot.inventory.guests.map { ($0.reference ?? "", $0) })
        let natures = guests.mapValues(\.nature)
        #expect(
            natures == [
                "vm-11": .ordinary, "vm-12": .vcls, "vm-13": .agent, "vm-14": .ordinary,
                "vm-15": .unusable, "vm-17": .ordinary, "vm-18": .ftSecondary, "vm-19": .ordinary,
                "vm-20": .embeddedVCLS,
            ])
        #expect(guests["vm-11"]?.name == "web & <db> 日\ntwo")
        #expect(guests["vm-11"]?.id.rawValue == "502e0000-0000-0000-0000-00000000ab11")
        #expect(guests["vm-11"]?.power == .on)
        // vCenter shows the last known state of a host it has lost: nobody knows it now.
        #expect(guests["vm-14"]?.power == .unknown)
        #expect(guests["vm-15"]?.power == .unknown)
        #expect(guests["vm-15"]?.id.rawValue == "moref:vm-15")
        #expect(guests["vm-17"]?.power == .suspended)
        let first = try await exchange.calls().first { $0.method == "RetrievePropertiesEx" }
        #expect(first?.headers["soapaction"] == "\"urn:vim25/8.0.3.0\"")
        #expect(first?.headers["cookie"] == "vmware_soap_session=\"session-1\"")
        let login = try await exchange.calls().first { $0.method == "Login" }
        #expect(login?.headers["cookie"] == nil)
        #expect(
            login?.arguments
                == "<userName>vpower</userName><password>p&lt;&gt;&amp;</password>")
        await exchange.cluster.close()
        #expect(try await exchange.calls().last?.method == "Logout")
    }

    @Test func `an inventory in pages is read to its end`() async throws {
        let middle = Recorded.objects.count / 2
        let whole = try Exchange([:])
        let expected = try await whole.cluster.snapshot()
        let exchange = try Exchange([
            "RetrievePropertiesEx.1": Recorded.page(
                Array(Recorded.objects[..<3]), token: "t<1>".replacing("<", with: "&lt;")),
            "ContinueRetrievePropertiesEx.1": Recorded.page(
                Array(Recorded.objects[3..<middle]), method: "ContinueRetrievePropertiesEx",
                token: "t2"),
            "ContinueRetrievePropertiesEx.2": Recorded.page(
                Array(Recorded.objects[middle...]), method: "ContinueRetrievePropertiesEx"),
        ])
        #expect(try await exchange.cluster.snapshot() == expected)
        let pages = try await exchange.calls().filter { $0.method.hasPrefix("Continue") }
        #expect(
            pages.map(\.arguments) == ["<token>t&lt;1&gt;</token>", "<token>t2</token>"])
    }

    @Test func `a page that is missing, cut or refused leaves no inventory`() async throws {
        let part = Recorded.page(Array(Recorded.objects[..<9]), token: "t1")
        let method = "ContinueRetrievePropertiesEx"
        let rest = Recorded.page(Array(Recorded.objects[9...]), method: method)
        let bad: [(String, ClusterError.Reason)] = [
            (String(rest.dropLast(20)), .badAnswer),
            (Recorded.returning(method, ""), .badAnswer),
            (Recorded.fault("InvalidArgument"), .refused),
            ("503", .starting),
        ]
        for (reply, reason) in bad {
            let exchange = try Exchange(["RetrievePropertiesEx.1": part, "\(method).1": reply])
            let problem = await error { _ = try await exchange.cluster.snapshot() }
            #expect(problem?.reason == reason)
        }
    }

    @Test func `a guest that may not be looked at is an error, not a missing guest`() async throws {
        let hidden = """
            <objects><obj type="VirtualMachine">vm-99</obj><missingSet><path>runtime.host</path>\
            <fault><fault xsi:type="NoPermission"><privilegeId>System.Read</privilegeId></fault>\
            <localizedMessage/></fault></missingSet></objects>
            """
        let exchange = try Exchange([
            "RetrievePropertiesEx.1": Recorded.page(Recorded.objects + [hidden])
        ])
        let problem = await error { _ = try await exchange.cluster.snapshot() }
        #expect(problem?.reason == .notPermitted)
        #expect(problem?.detail.contains("vm-99") == true)
    }

    @Test func `HA that is not spoken of is unknown, never off`() async throws {
        let objects = Recorded.objects.map {
            $0.replacing("<dasConfig><enabled>true</enabled>", with: "<dasConfig>")
        }
        let exchange = try Exchange(["RetrievePropertiesEx.1": Recorded.page(objects)])
        let problem = await error { _ = try await exchange.cluster.snapshot() }
        #expect(problem?.reason == .badAnswer)
    }

    @Test func `an ambiguous cluster is refused with its candidates, a reference is not`()
        async throws
    {
        let objects = Recorded.objects + [Recorded.cluster("domain-c81", "Prod")]
        let replies = ["RetrievePropertiesEx.1": Recorded.page(objects)]
        let ambiguous = try Exchange(replies)
        let problem = await error { _ = try await ambiguous.cluster.snapshot() }
        #expect(problem?.reason == .refused)
        #expect(problem?.detail.contains("Prod (domain-c8), Prod (domain-c81)") == true)
        let byReference = try Exchange(replies, name: "domain-c8")
        let known = try await byReference.cluster.snapshot()
        #expect(known.inventory.guests.count == 9)
        let byName = try Exchange(replies, name: "Lab/Test")
        let escaped = try await byName.cluster.snapshot()
        #expect(escaped.reference == "domain-c80")
        #expect(escaped.inventory.guests.map(\.name) == ["elsewhere"])
    }

    // MARK: Watching

    private func updates(
        _ version: String, truncated: Bool = false, _ updates: String
    ) -> String {
        Recorded.returning(
            "WaitForUpdatesEx",
            """
            <returnval><version>\(version)</version><filterSet><filter type="PropertyFilter">f\
            </filter>\(updates)</filterSet>\(truncated ? "<truncated>true</truncated>" : "")\
            </returnval>
            """)
    }

    /// A recorded object as the collector would announce it.
    private func entering(_ objects: some Sequence<String>) -> String {
        objects.map {
            $0.replacing("<objects>", with: "<objectSet><kind>enter</kind>")
                .replacing("</objects>", with: "</objectSet>")
                .replacing("<propSet>", with: "<changeSet>").replacing(
                    "</propSet>", with: "</changeSet>"
                )
                .replacing("</name><val", with: "</name><op>assign</op><val")
        }.joined()
    }

    private func turningOff(_ vm: String) -> String {
        """
        <objectSet><kind>modify</kind><obj type="VirtualMachine">\(vm)</obj><changeSet>\
        <name>runtime.powerState</name><op>assign</op><val xsi:type="VirtualMachinePowerState">\
        poweredOff</val></changeSet></objectSet>
        """
    }

    @Test func `updates in parts are published only as a whole`() async throws {
        let exchange = try Exchange([
            "WaitForUpdatesEx.1": updates(
                "1", truncated: true, entering(Recorded.objects[..<8])),
            "WaitForUpdatesEx.2": updates("2", entering(Recorded.objects[8...])),
            "WaitForUpdatesEx.3": updates("3", turningOff("vm-11")),
            "WaitForUpdatesEx.4": updates(
                "4",
                "<objectSet><kind>leave</kind><obj type=\"VirtualMachine\">vm-17</obj></objectSet>"),
        ])
        let first = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(first.guests.count == 9)
        #expect(first.guests.first { $0.reference == "vm-11" }?.power == .on)
        #expect(first.guests.first { $0.reference == "vm-12" }?.nature == .vcls)
        let second = try await exchange.cluster.inventory(
            newerThan: first.version, within: .seconds(10))
        #expect(second.version > first.version)
        #expect(second.guests.first { $0.reference == "vm-11" }?.power == .off)
        let third = try await exchange.cluster.inventory(
            newerThan: second.version, within: .seconds(10))
        #expect(!third.guests.contains { $0.reference == "vm-17" })
        let waits = try await exchange.calls().filter { $0.method == "WaitForUpdatesEx" }
        #expect(
            waits.prefix(4).map(\.arguments) == [
                "<version></version><options><maxWaitSeconds>0</maxWaitSeconds></options>",
                "<version>1</version><options><maxWaitSeconds>0</maxWaitSeconds></options>",
                "<version>2</version><options><maxWaitSeconds>9</maxWaitSeconds></options>",
                "<version>3</version><options><maxWaitSeconds>9</maxWaitSeconds></options>",
            ])
        await exchange.cluster.close()
    }

    @Test func `a part that fails leaves no half inventory, and the next call begins anew`()
        async throws
    {
        let exchange = try Exchange([
            "WaitForUpdatesEx.1": updates("1", truncated: true, entering(Recorded.objects[..<8])),
            "WaitForUpdatesEx.2": "503",
            "WaitForUpdatesEx.3": updates("1", entering(Recorded.objects)),
        ])
        let problem = await error {
            _ = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        }
        #expect(problem?.reason == .starting)
        let whole = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        #expect(whole.guests.count == 9)
        #expect(try await exchange.calls().filter { $0.method == "CreateFilter" }.count == 2)
        await exchange.cluster.close()
    }

    @Test func `a version that the collector does not know is begun anew`() async throws {
        let exchange = try Exchange([
            "WaitForUpdatesEx.1": updates("1", entering(Recorded.objects)),
            "WaitForUpdatesEx.2": Recorded.fault("InvalidCollectorVersion"),
            "WaitForUpdatesEx.3": updates(
                "1", entering(Recorded.objects) + turningOff("vm-11")),
        ])
        let first = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        let second = try await exchange.cluster.inventory(
            newerThan: first.version, within: .seconds(10))
        #expect(second.guests.first { $0.reference == "vm-11" }?.power == .off)
        await exchange.cluster.close()
    }

    @Test func `a wait that brings nothing gives the last known inventory at its limit`()
        async throws
    {
        let exchange = try Exchange([
            "WaitForUpdatesEx.1": updates("1", entering(Recorded.objects)),
            "WaitForUpdatesEx.2": Recorded.returning("WaitForUpdatesEx", ""),
        ])
        let first = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        let started = ContinuousClock.now
        let same = try await exchange.cluster.inventory(
            newerThan: first.version, within: .seconds(1))
        #expect(same == first)
        #expect(ContinuousClock.now - started >= .seconds(1))
        await exchange.cluster.close()
    }

    // MARK: Changing

    private func task(_ method: String) -> String {
        Recorded.returning(method, "<returnval type=\"Task\">task-7</returnval>")
    }

    private func info(_ state: String, _ more: String = "") -> String {
        Recorded.page([
            Recorded.object(
                "Task", "task-7",
                Recorded.property(
                    "info", "TaskInfo", "<key>task-7</key><state>\(state)</state>\(more)"))
        ])
    }

    @Test func `HA, DRS and DPM are changed in one task, in schema order, and nothing else`()
        async throws
    {
        let exchange = try Exchange([
            "RetrievePropertiesEx.2": info("queued"), "RetrievePropertiesEx.3": info("running"),
            "RetrievePropertiesEx.4": info("success"),
            "RetrievePropertiesEx.5": info("success"),
            "ReconfigureComputeResource_Task.1": task("ReconfigureComputeResource_Task"),
        ])
        _ = try await exchange.cluster.snapshot()
        try await exchange.cluster.change(
            AutomationChange(ha: false, drsLevel: .manual, drsOverrides: false, dpm: false))
        try await exchange.cluster.change(AutomationChange(drsLevel: .fullyAutomated))
        try await exchange.cluster.change(AutomationChange())
        let changes = try await exchange.calls().filter { $0.method.hasPrefix("Reconfigure") }
        #expect(
            changes.map(\.arguments) == [
                "<spec xsi:type=\"ClusterConfigSpecEx\"><dasConfig><enabled>false</enabled>"
                    + "</dasConfig><drsConfig><enableVmBehaviorOverrides>false"
                    + "</enableVmBehaviorOverrides><defaultVmBehavior>manual</defaultVmBehavior>"
                    + "</drsConfig><dpmConfig><enabled>false</enabled></dpmConfig></spec>"
                    + "<modify>true</modify>",
                "<spec xsi:type=\"ClusterConfigSpecEx\"><drsConfig><defaultVmBehavior>"
                    + "fullyAutomated</defaultVmBehavior></drsConfig></spec><modify>true</modify>",
            ])
        #expect(
            changes[0].body.contains("<_this type=\"ClusterComputeResource\">domain-c8</_this>"))
    }

    @Test func `a task that fails says why; one that finds it done has succeeded`() async throws {
        func failed(_ type: String, _ fields: String = "") -> String {
            info(
                "error",
                """
                <error><fault xsi:type="\(type)">\(fields)</fault><localizedMessage>no\
                </localizedMessage></error>
                """)
        }
        let exchange = try Exchange([
            "PowerOffVM_Task.1": task("PowerOffVM_Task"),
            "RetrievePropertiesEx.2": failed(
                "InvalidPowerState", "<existingState>poweredOff</existingState>"),
            "RetrievePropertiesEx.3": failed(
                "InvalidPowerState", "<existingState>suspended</existingState>"),
            "RetrievePropertiesEx.4": failed("TaskInProgress"),
            "RetrievePropertiesEx.5": failed("SystemError"),
        ])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        var reasons: [ClusterError.Reason?] = []
        for _ in 0..<4 {
            let problem = await error { try await exchange.cluster.powerOff(guest) }
            reasons.append(problem?.reason)
            // The name holds a line break; the message does not.
            #expect(problem?.description.contains("\n") != true)
        }
        #expect(reasons == [nil, .wrongState, .busy, .refused])
    }

    @Test func `a suspend is over when vCenter is at it, and its refusals are typed`() async throws
    {
        func state(_ state: String, of description: String = "VirtualMachine.suspend") -> String {
            info(state, "<descriptionId>\(description)</descriptionId>")
        }
        let busy = Recorded.fault("TaskInProgress", "<task type=\"Task\">task-8</task>")
        let failed = info(
            "error",
            """
            <error><fault xsi:type="InvalidPowerState"><existingState>poweredOff</existingState>\
            </fault><localizedMessage>no</localizedMessage></error>
            """)
        let exchange = try Exchange([
            "SuspendVM_Task.1": task("SuspendVM_Task"), "SuspendVM_Task.2": task("SuspendVM_Task"),
            "SuspendVM_Task.3": busy, "SuspendVM_Task.4": busy,
            "RetrievePropertiesEx.2": state("queued"), "RetrievePropertiesEx.3": state("running"),
            "RetrievePropertiesEx.4": failed,
            "RetrievePropertiesEx.5": state("running").replacing("task-7", with: "task-8"),
            "RetrievePropertiesEx.6": state("running", of: "VirtualMachine.powerOff")
                .replacing("task-7", with: "task-8"),
        ])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        var reasons: [ClusterError.Reason?] = []
        for _ in 0..<4 {
            reasons.append(await error { try await exchange.cluster.suspend(guest) }?.reason)
        }
        #expect(reasons == [nil, .wrongState, nil, .busy])
    }

    @Test func `a task that vCenter has forgotten is judged by the guest's state`() async throws {
        let gone = Recorded.fault("ManagedObjectNotFound", "<obj type=\"Task\">task-7</obj>")
        func state(_ power: String) -> String {
            Recorded.page([Recorded.vm("vm-11", "w", power: power)])
        }
        let exchange = try Exchange([
            "PowerOffVM_Task.1": task("PowerOffVM_Task"),
            "RetrievePropertiesEx.2": gone, "RetrievePropertiesEx.3": state("poweredOff"),
            "RetrievePropertiesEx.4": gone, "RetrievePropertiesEx.5": state("poweredOn"),
        ])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        try await exchange.cluster.powerOff(guest)
        let problem = await error { try await exchange.cluster.powerOff(guest) }
        #expect(problem?.reason == .timedOut)
    }

    /// A row of the fault table of facts/vsphere.md 2.6, or what else may come in its place.
    struct ShutdownAnswer: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let reply: String
        /// nil where the guest is as it was wanted.
        let reason: ClusterError.Reason?
        /// What an operator must find in the message.
        var words: [String] = []

        init(
            _ situation: String, _ reply: String, _ reason: ClusterError.Reason?,
            _ words: String...
        ) {
            testDescription = situation
            self.reply = reply
            self.reason = reason
            self.words = words
        }
    }

    private static let shutdownAnswers = [
        ShutdownAnswer("taken", Recorded.returning("ShutdownGuest", ""), nil),
        ShutdownAnswer(
            "no Tools", Recorded.fault("ToolsUnavailable"), .toolsUnavailable, "ToolsUnavailable"),
        ShutdownAnswer(
            "already off",
            Recorded.fault("InvalidPowerState", "<existingState>poweredOff</existingState>"), nil),
        ShutdownAnswer(
            "suspended",
            Recorded.fault("InvalidPowerState", "<existingState>suspended</existingState>"),
            .wrongState, "suspended"),
        ShutdownAnswer(
            "a template or an FT secondary", Recorded.fault("NotSupported"), .refused,
            "NotSupported"),
        ShutdownAnswer(
            "another operation is under way",
            Recorded.fault("TaskInProgress", "<task type=\"Task\">task-7</task>"), .busy,
            "TaskInProgress"),
        ShutdownAnswer(
            "HA's master does not manage it",
            Recorded.fault(
                "CannotPowerOffVmInCluster", "<operation>guestShutdown</operation>"),
            .refused, "CannotPowerOffVmInCluster", "guestShutdown"),
        ShutdownAnswer(
            "its host was disconnected", Recorded.fault("HostNotConnected"), .refused,
            "HostNotConnected"),
        ShutdownAnswer(
            "its host was lost", Recorded.fault("HostNotReachable"), .refused,
            "HostNotReachable"),
        ShutdownAnswer(
            "its host does not answer", Recorded.fault("HostCommunication"), .refused,
            "HostCommunication"),
        ShutdownAnswer(
            "it is disconnected itself", Recorded.fault("InvalidState"), .wrongState,
            "InvalidState"),
        ShutdownAnswer(
            "it is gone",
            Recorded.fault("ManagedObjectNotFound", "<obj type=\"VirtualMachine\">vm-1</obj>"),
            .notFound, "vm-1"),
        ShutdownAnswer(
            "no privilege", Recorded.fault("NoPermission", "<privilegeId>P.Off</privilegeId>"),
            .notPermitted, "P.Off"),
        ShutdownAnswer(
            "a solution has disabled the method",
            Recorded.fault("MethodDisabled", "<source>com.example.backup</source>"),
            .methodDisabled,
            "MethodDisabled", "com.example.backup"),
        ShutdownAnswer(
            "a fault that nobody knows", Recorded.fault("SomethingNew", words: "new words"),
            .refused, "SomethingNew", "new words"),
        ShutdownAnswer("a proxy's 503", "503", .starting),
        ShutdownAnswer("a status without a fault", "500", .starting),
        ShutdownAnswer("no SOAP", "<html>", .badAnswer),
    ]

    @Test(arguments: shutdownAnswers)
    func `each answer to a guest's shutdown has its reason`(answer: ShutdownAnswer) async throws {
        let exchange = try Exchange(["ShutdownGuest.1": answer.reply])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        let problem = await error { try await exchange.cluster.shutDown(guest) }
        #expect(problem?.reason == answer.reason)
        for word in answer.words { #expect(problem?.detail.contains(word) == true, "\(word)") }
    }

    @Test func `vCLS is changed only when it must be, and keeps its key's type`() async throws {
        func option(_ value: String, _ type: String) -> String {
            Recorded.returning(
                "QueryOptions",
                """
                <returnval xsi:type="OptionValue"><key>config.vcls.clusters.domain-c8.enabled</key>\
                <value xsi:type="xsd:\(type)">\(value)</value></returnval>
                """)
        }
        let exchange = try Exchange([
            "QueryOptions.2": Recorded.fault("InvalidName"),
            "QueryOptions.3": option("True", "string"),
            "QueryOptions.4": option("True", "string"),
            "QueryOptions.5": option("false", "boolean"),
            "QueryOptions.6": option("false", "boolean"),
            "QueryOptions.7": option("false", "string"),
        ])
        _ = try await exchange.cluster.snapshot()
        try await exchange.cluster.restoreVCLS(.on, mode: nil)
        try await exchange.cluster.retreatVCLS()
        try await exchange.cluster.restoreVCLS(.unset, mode: nil)
        try await exchange.cluster.retreatVCLS()
        let changes = try await exchange.calls().filter { $0.method == "UpdateOptions" }
        let key = "<changedValue><key>config.vcls.clusters.domain-c8.enabled</key>"
        #expect(
            changes.map(\.arguments) == [
                key + "<value xsi:type=\"xsd:string\">false</value></changedValue>",
                key + "<value xsi:type=\"xsd:boolean\">true</value></changedValue>",
            ])
    }

    /// Trap (facts/vsphere.md 2.5, 4.0): what an older version does not know is never sent to it.
    @Test(arguments: [
        ("8.0.2.0", true), ("9.0.0.0", true), ("8.0.1.0", false), ("7.0.3.0", false),
    ])
    func
        `vCLS is told by the cluster's own mode where that version has it, and else by the setting`(
            version: String, hasMode: Bool
        ) async throws
    {
        func task(_ state: String) -> String {
            Recorded.page([
                Recorded.object(
                    "Task", "task-7",
                    Recorded.property(
                        "info", "TaskInfo", "<key>task-7</key><state>\(state)</state>"))
            ])
        }
        let exchange = try Exchange([
            "versions.1": version == "9.0.0.0"
                ? Recorded.versions
                : Recorded.versions.replacing("9.0.0.0", with: version)
                    .replacing("8.0.3.0", with: "6.7"),
            "RetrievePropertiesEx.2": Recorded.snapshot,
            "RetrievePropertiesEx.3": task("success"),
            "ReconfigureComputeResource_Task.1": self.task("ReconfigureComputeResource_Task"),
        ])
        _ = try await exchange.cluster.snapshot()
        try await exchange.cluster.retreatVCLS()
        let calls = try await exchange.calls()
        let mode = calls.filter { $0.method.hasPrefix("Reconfigure") }.map(\.arguments)
        let ofMode =
            "<spec xsi:type=\"ClusterConfigSpecEx\"><systemVMsConfig><deploymentMode>ABSENT"
            + "</deploymentMode></systemVMsConfig></spec><modify>true</modify>"
        #expect(mode == (hasMode ? [ofMode] : []))
        #expect(calls.filter { $0.method == "UpdateOptions" }.count == (hasMode ? 0 : 1))
    }

    /// Why a guest may not be started where and when it is asked for (facts/vsphere.md 2.4, 2.7,
    /// 4.4): each has its reason, and says what to do next.
    @Test(arguments: [
        ("RuleViolation", ClusterError.Reason.noRoom, "rule of DRS"),
        ("InsufficientFailoverResourcesFault", .noRoom, "while HA is off"),
        ("InsufficientMemoryResourcesFault", .noRoom, "more hosts come back"),
        ("DisallowedOperationOnFailoverHost", .noRoom, "another one"),
        ("NotEnoughLicenses", .refused, "licensing"), ("InvalidState", .wrongState, "InvalidState"),
        ("FileLocked", .refused, "FileLocked"), ("TaskInProgress", .busy, "tried again"),
        ("MethodDisabled", .methodDisabled, "A solution"),
    ])
    func `a start that is refused says why and what to do`(
        type: String, reason: ClusterError.Reason, words: String
    ) async throws {
        let failed = info(
            "error",
            "<error><fault xsi:type=\"\(type)\"/><localizedMessage>no</localizedMessage></error>")
        let exchange = try Exchange([
            "PowerOnVM_Task.1": task("PowerOnVM_Task"), "RetrievePropertiesEx.2": failed,
        ])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        let problem = await error {
            try await exchange.cluster.powerOn(guest, on: HostName("esx1.example.org"))
        }
        #expect(problem?.reason == reason)
        #expect(problem?.detail.contains(words) == true, "\(String(describing: problem))")
    }

    // MARK: Sessions

    @Test func `a forgotten session is renewed once, without its cookie`() async throws {
        let exchange = try Exchange([
            "ShutdownGuest.1": Recorded.fault("NotAuthenticated"),
            "ShutdownGuest.2": Recorded.returning("ShutdownGuest", ""),
            "ShutdownGuest.3": Recorded.fault("NotAuthenticated"),
        ])
        let snapshot = try await exchange.cluster.snapshot()
        let guest = try #require(snapshot.inventory.guests.first { $0.reference == "vm-11" })
        try await exchange.cluster.shutDown(guest)
        let problem = await error { try await exchange.cluster.shutDown(guest) }
        #expect(problem?.reason == .starting)
        let calls = try await exchange.calls()
        let logins = calls.filter { $0.method == "Login" }
        #expect(logins.map { $0.headers["cookie"] } == [nil, nil, nil])
        let shutdowns = calls.filter { $0.method == "ShutdownGuest" }
        #expect(
            shutdowns.map { $0.headers["cookie"] } == [
                "vmware_soap_session=\"session-1\"", "vmware_soap_session=\"session-2\"",
                "vmware_soap_session=\"session-2\"", "vmware_soap_session=\"session-2\"",
            ])
    }

    @Test func `a refused login is made once, however many wait for it`() async throws {
        let exchange = try Exchange([
            "Login.1": Recorded.fault("InvalidLogin", words: "Cannot complete login"),
            "Login.2": Recorded.fault("SystemError", words: "SSO is down"),
        ])
        let reasons = await withTaskGroup { group in
            for _ in 0..<5 {
                group.addTask { await error { _ = try await exchange.cluster.snapshot() }?.reason }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reasons == Array(repeating: .loginRefused, count: 5))
        #expect(try await exchange.calls().filter { $0.method == "Login" }.count == 1)
        // SSO comes up later than the API: that is not a refusal.
        let problem = await error { try await exchange.cluster.logIn() }
        #expect(problem?.reason == .starting)
    }

    @Test func `an ESXi host is not taken for a vCenter`() async throws {
        let exchange = try Exchange([
            "RetrieveServiceContent.1": Recorded.content.replacing(
                "VirtualCenter", with: "HostAgent")
        ])
        #expect(try await exchange.cluster.about().apiType == "HostAgent")
        let problem = await error { _ = try await exchange.cluster.snapshot() }
        #expect(problem?.reason == .refused)
        // The password went nowhere.
        #expect(try await !exchange.calls().contains { $0.method == "Login" })
    }
}
