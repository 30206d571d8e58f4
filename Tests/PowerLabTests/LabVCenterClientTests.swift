import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// The lab's vCenter, as pyvmomi sees it.
struct LabVCenterClientTests {
    @Test func `pyvmomi reads and steers the whole site`() async throws {
        try await LabVCenterRig.with(pageSize: 5, prepare: Self.dress) { rig in
            let output = try await LabVCenterRig.python(
                "vcenter_client.py",
                [
                    String(rig.address.port), rig.address.certificatePEMPath, LabVCenterRig.user,
                    LabVCenterRig.password,
                ])
            let seen = try JSONDecoder().decode(Seen.self, from: output)
            expectSession(seen)
            try expectRows(seen)
            expectLabels(seen)
            expectREST(seen)
            expectOptions(seen)
            expectCluster(seen)
            expectGuests(seen)
            expectHosts(seen)
            expectCollector(seen)
            let calls = await rig.server.calls
            let (bytesIn, bytesOut) = (await rig.server.bytesIn, await rig.server.bytesOut)
            #expect(calls > 40)
            #expect(bytesIn > calls * 100)
            #expect(bytesOut > bytesIn)
        }
    }

    private func expectSession(_ seen: Seen) {
        #expect(seen.wrongPassword == "InvalidLogin")
        #expect(seen.liveCookie == "InvalidLogin")
        #expect(seen.session == LabVCenterRig.user)
        #expect(seen.afterLogout == "NotAuthenticated")
        #expect(seen.api == ["VirtualCenter", "8.0.3.0"])
        #expect(seen.walk == [["Lab"]])
        #expect(seen.unknownMethod == "MethodNotFound")
        #expect(seen.badPath == "InvalidProperty")
        #expect(seen.viewIsGone == "ManagedObjectNotFound")
    }

    private func expectRows(_ seen: Seen) throws {
        #expect(seen.rows["app-web01"]?["summary.config.memorySizeMB"] == .number(65536))
        // 14 guests, 3 hosts and a cluster, by 4 as asked, then by 5 as the server will have it.
        #expect(seen.pages == 5)
        #expect(seen.serverPages == 4)
        #expect(seen.tokenAgain == "InvalidArgument")
        #expect(seen.rows.count == 18)
        let scenario = LabScenario.standard()
        for guest in scenario.guests {
            let row = try #require(seen.rows[guest.name])
            #expect(row["id"] == .text(guest.reference))
            #expect(row["config.instanceUuid"] == .text(guest.id.rawValue))
            #expect(row["summary.config.vmPathName"] == .text(guest.vmxPath))
            #expect(row["runtime.powerState"] == .text("poweredOn"))
            #expect(row["config.template"] == .flag(false))
            #expect(row["config.ftInfo"] == nil)
            #expect((row["runtime.question"] != nil) == (guest.name == "mid-noisy"))
            let isVCLS = guest.nature == .vcls
            #expect(
                row["config.managedBy"]
                    == (isVCLS ? .text("com.vmware.vim.eam cluster-agent") : nil))
            #expect((row["config.guestId"] == .text("other3xLinux64Guest")) == isVCLS)
            #expect(
                row["guest.toolsRunningStatus"]
                    == .text(guest.hasTools ? "guestToolsRunning" : "guestToolsNotRunning"))
        }
        #expect(seen.rows["vcsa01"]?["guest.hostName"] == .text("localhost"))
        #expect(seen.rows["vcsa01"]?["guest.ipAddress"] == .text("127.0.0.1"))
        let host = try #require(seen.rows["esx1.lab"])
        #expect(host["runtime.connectionState"] == .text("connected"))
        #expect(host["runtime.inMaintenanceMode"] == .flag(false))
        #expect(host["runtime.dasHostState"] == .text("master"))
        #expect(host["parent"] == .text("domain-c8"))
        #expect(seen.rows["Lab"]?["id"] == .text("domain-c8"))
    }

    private static func dress(_ scenario: inout LabScenario) {
        for index in scenario.guests.indices {
            if scenario.guests[index].name == "mid-noisy" {
                scenario.guests[index].hasQuestion = true
            }
            guard scenario.guests[index].name == "app-web01" else { continue }
            scenario.guests[index].memoryMiB = 65536
            scenario.guests[index].labels = GuestLabels(
                folder: "Prod/50% Web", resourcePool: "High/Databases",
                tags: ["Tier/first", "Tier/<&> 日本語/x"], attributes: ["power": "late & <x>"])
        }
    }

    private func expectLabels(_ seen: Seen) {
        #expect(
            seen.labels
                == Seen.Labels(
                    folder: ["50%25 Web", "Prod", "vm", "LabDC", "Datacenters"],
                    pool: [
                        "Databases", "High", "Resources", "Lab", "host", "LabDC", "Datacenters",
                    ], inFolder: ["app-web01"], inPool: ["app-web01"],
                    attributes: ["power": "late & <x>"], memory: 65536,
                    question: [
                        "7", "msg.uuid.altered:This virtual machine may have been moved or copied.",
                        "Cancel", "I _moved it", "I _copied it",
                    ]))
        #expect(seen.suspend.suspend.error == nil)
        #expect(seen.suspend.suspend.states == ["running", "success"])
        #expect(seen.suspend.then == "suspended")
        #expect(seen.suspend.again.existing == "suspended")
        #expect(seen.suspend.description == "VirtualMachine.suspend")
        #expect(seen.suspend.resume.error == nil)
        #expect(seen.suspend.atLast == "poweredOn")
    }

    private func expectREST(_ seen: Seen) {
        let rest = seen.rest
        #expect(rest.wrongPassword == 401)
        #expect(rest.noLogin == 401)
        #expect(rest.login == [.number(201), .text("str")])
        #expect(rest.object == [.number(200), .text("vm-101")])
        #expect(Set(rest.tags) == ["Tier | first", "Tier | <&> 日本語/x"])
        #expect(
            rest.refusals == [
                "unknown member": "400 INVALID_ARGUMENT", "no type": "400 INVALID_ARGUMENT",
                "not JSON": "400 INVALID_ARGUMENT", "wrong kind": "400 INVALID_ARGUMENT",
                "wrong action": "404 NOT_FOUND", "no such tag": "404 NOT_FOUND",
            ])
        #expect(rest.logout == 204)
        #expect(rest.after == 401)
    }

    private func expectOptions(_ seen: Seen) {
        #expect(seen.options.absent == "InvalidName")
        #expect(seen.options.written == "false")
        #expect(seen.options.outside == "InvalidName")
        #expect(seen.options.number == "InvalidArgument")
        #expect(
            seen.options.tree
                == ["VirtualCenter.FQDN", "VirtualCenter.InstanceName", "VirtualCenter.ManagedIP"])
    }

    private func expectCluster(_ seen: Seen) {
        func state(_ ha: Bool, _ level: String, _ dpm: Bool) -> [Value] {
            [.flag(ha), .flag(true), .text(level), .flag(dpm)]
        }
        #expect(seen.cluster.before == state(true, "fullyAutomated", false))
        #expect(seen.cluster.task.error == nil)
        #expect(seen.cluster.task.states == ["running", "success"])
        #expect(seen.cluster.changed == state(false, "manual", true))
        #expect(seen.cluster.onlyHA == state(true, "manual", true))
        #expect(seen.cluster.overrides == [nil, .flag(false)])
        #expect(seen.cluster.modes == ["None", "ABSENT", "SYSTEM_MANAGED"])
        #expect(seen.cluster.unserved == "NotSupported")
        #expect(seen.cluster.wrongSpec == "InvalidArgument")
        #expect(seen.cluster.notModify == state(false, "fullyAutomated", false))
    }

    private func expectGuests(_ seen: Seen) {
        #expect(seen.quiet == 0)
        #expect(seen.badVersion == "InvalidCollectorVersion")
        #expect(seen.guests.noTools == "ToolsUnavailable")
        #expect(seen.guests.woken)
        #expect(seen.guests.shutdownOfAnOffOne == "InvalidPowerState")
        #expect(seen.guests.off.error == nil)
        #expect(seen.guests.offAgain.error == "InvalidPowerState")
        #expect(seen.guests.offAgain.existing == "poweredOff")
        #expect(seen.guests.on.error == nil)
        #expect(seen.guests.onAgain.existing == "poweredOn")
        #expect(seen.guests.movedTo == "esx1.lab")
    }

    private func expectHosts(_ seen: Seen) {
        #expect(
            seen.hosts == [
                "not in maintenance": "InvalidState", "exit": "InvalidState",
                "guests are on": "Timedout", "entering": "running", "enter": nil,
                "is in maintenance": "True", "power on there": "InvalidState", "leave": nil,
                "cancel of an ended one": "InvalidState", "shutdown": nil,
                "then": "notResponding", "its guests": "disconnected",
                "vCLS there": "ManagedObjectNotFound",
            ])
    }

    private func expectCollector(_ seen: Seen) {
        #expect(seen.collector.truncated == [.flag(true), .number(2)])
        #expect(seen.collector.partAgain == "InvalidCollectorVersion")
        #expect(seen.collector.replayed == [true, true])
        #expect(seen.collector.negative == "InvalidArgument")
        #expect(seen.collector.canceled == ["RequestCanceled"])
    }
}

/// What vcenter_client.py prints.
private struct Seen: Decodable {
    struct TaskSeen: Decodable {
        var error: String?
        var states: [String]
        var existing: String
    }

    struct Options: Decodable {
        var absent, written, outside, number: String?
        var tree: [String]
    }

    struct Cluster: Decodable {
        var before, changed, onlyHA, notModify: [Value]
        var task: TaskSeen
        var modes: [String]
        var overrides: [Value?]
        var unserved, wrongSpec: String?
        enum CodingKeys: String, CodingKey {
            case before, changed, task, modes, overrides, unserved
            case onlyHA = "only HA"
            case notModify = "not modify"
            case wrongSpec = "wrong spec"
        }
    }

    struct Guests: Decodable {
        var noTools, shutdownOfAnOffOne: String?
        var woken: Bool
        var off, offAgain, on, onAgain: TaskSeen
        var movedTo: String
        enum CodingKeys: String, CodingKey {
            case woken, off, on
            case noTools = "no tools"
            case shutdownOfAnOffOne = "shutdown of an off one"
            case offAgain = "off again"
            case onAgain = "on again"
            case movedTo = "moved to"
        }
    }

    struct Labels: Decodable, Equatable {
        var folder, pool, inFolder, inPool: [String]
        var attributes: [String: String]
        var memory: Int
        var question: [String]
        enum CodingKeys: String, CodingKey {
            case folder, pool, attributes, memory, question
            case inFolder = "in folder"
            case inPool = "in pool"
        }
    }

    struct Suspend: Decodable {
        var suspend, again, resume: TaskSeen
        var then, description, atLast: String
        enum CodingKeys: String, CodingKey {
            case suspend, again, resume, then, description
            case atLast = "at last"
        }
    }

    struct REST: Decodable {
        var wrongPassword, noLogin, logout, after: Int
        var login, object: [Value]
        var tags: [String]
        var refusals: [String: String]
        enum CodingKeys: String, CodingKey {
            case login, object, tags, refusals, logout, after
            case wrongPassword = "wrong password"
            case noLogin = "no login"
        }
    }

    struct Collector: Decodable {
        var truncated: [Value]
        var replayed: [Bool]
        var partAgain, negative: String?
        var canceled: [String?]
        enum CodingKeys: String, CodingKey {
            case truncated, replayed, negative, canceled
            case partAgain = "part again"
        }
    }

    var wrongPassword, liveCookie, afterLogout, tokenAgain, badPath, unknownMethod: String?
    var viewIsGone, badVersion: String?
    var session: String
    var api: [String]
    var walk: [[String]]
    var pages, serverPages, quiet: Int
    var rows: [String: [String: Value]]
    var options: Options
    var cluster: Cluster
    var guests: Guests
    var labels: Labels
    var suspend: Suspend
    var rest: REST
    var collector: Collector
    var hosts: [String: String?]

    enum CodingKeys: String, CodingKey {
        case session, api, walk, pages, quiet, rows, options, cluster, guests, hosts, collector
        case labels, suspend, rest
        case wrongPassword = "wrong password"
        case liveCookie = "live cookie"
        case afterLogout = "after logout"
        case tokenAgain = "token again"
        case serverPages = "server pages"
        case badPath = "bad path"
        case unknownMethod = "unknown method"
        case viewIsGone = "view is gone"
        case badVersion = "bad version"
    }
}

/// A property as JSON has it.
private enum Value: Decodable, Equatable {
    case text(String)
    case flag(Bool)
    case number(Int)
    case list([Value])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Int.self) {
            self = .number(number)
        } else if let list = try? container.decode([Value].self) {
            self = .list(list)
        } else {
            self = .text(try container.decode(String.self))
        }
    }
}
