import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import ESXi
@testable import PowerLab

/// What a host says of itself, and what its esxcli prints in both of its forms.
@Suite(.serialized) struct `A look at a host` {
    static let stores = [
        LabHostDatastore(name: "ds1", uuid: "600d9cc6-915fbb51-f64b-d8d385d87c24"),
        LabHostDatastore(
            name: "nfs 日本語", uuid: "95e378c2-863dd2b4", type: "NFS", accessible: false,
            share: LabHostDatastore.Share(server: "192.168.1.22", path: "/volume1/x")),
        LabHostDatastore(
            name: "", uuid: "600db95c-59132542-33a3-d8d385d87c24", mounted: false, type: "vfat"),
    ]
    static let guests = [
        LabHostGuest(vmid: 2, name: "web", vmxPath: "[ds1] web/web.vmx", power: .on),
        LabHostGuest(
            vmid: 3, name: "two\nlines \"\u{e9}\"", vmxPath: "[ds1] t 日/t.vmx", power: .on),
    ]

    @Test func `esxcli's text and JSON say the same, whatever the names`() throws {
        let pages = [
            LabESXiCommands.fileSystems(Self.stores), LabESXiCommands.nfs(Self.stores),
            LabESXiCommands.processes(Array(Self.guests.prefix(1)), on: Self.stores),
            LabEsxcliPage(["Mode": .text("NONE"), "Require Secure Boot": .truth(false)]),
            LabEsxcliPage(.table, ["Mount Point", "Volume Name"], []),
        ]
        for page in pages {
            let text = try #require(EsxcliText.records(page.text))
            #expect(EsxcliText.records(page.json) == text, "\(page.text)")
            #expect(text.count == page.rows.count)
        }
        #expect(
            HostVolume.list(pages[0].text)?.map(\.name) == ["ds1", "nfs 日本語", ""])
        #expect(NFSMount.list(pages[1].json)?.map(\.isAccessible) == [false])
        let all = LabESXiCommands.processes(Self.guests, on: Self.stores)
        let file = "/vmfs/volumes/600d9cc6-915fbb51-f64b-d8d385d87c24/t 日/t.vmx"
        #expect(GuestProcess.list(all.json)?.last?.file == file)
        #expect(GuestProcess.list(all.text)?.contains { $0.file == file } == false)
    }

    @Test func `what is no answer of esxcli is none`() {
        for text in [
            "Connect to localhost failed: Connection failure\n", "Error: Unknown command\n\n",
            "{", "[1, 2]", "\"Enabled\"", "{\"a\": [1}",
        ] {
            #expect(EsxcliText.record(text) == nil, "\(text)")
            #expect(HostRelease(text) == nil)
        }
        #expect(EsxcliText.records("\n") == [])
        // A name can look like another field: then neither counts.
        #expect(EsxcliText.record("   World ID: 1\n   World ID: 2\n   A: b\n")?["World ID"] == nil)
    }

    @Test(arguments: [true, false])
    func `a survey tells the release, what cannot be reached and what starts by itself`(
        hasJSON: Bool
    ) async throws {
        var options = LabHostOptions()
        options.esxcliHasJSON = hasJSON
        options.autostartIDs = [2, 3]
        try await ESXiBench.with(options, guests: Self.guests, stores: Self.stores) { bench in
            let survey = try await bench.host.survey()
            #expect(survey.summary == "VMware ESXi 8.0.2, build 22380479, Secure Boot off")
            try #require(survey.problems.count == 1, "\(survey.problems)")
            #expect(survey.problems[0].contains("(NFS 192.168.1.22:/volume1/x) is not accessible"))
            #expect(survey.autostart == HostSurvey.Autostart(guests: 2, isOn: true))
            try #require(survey.notes.count == 1, "\(survey.notes)")
            #expect(survey.notes[0].hasPrefix("1 volume it sees are not mounted: 600db95c"))
            #expect(await bench.site.events.isEmpty)
            await bench.site.setHostdReady("esx1", false)
            #expect(await bench.reason { try await $0.survey() } == .notReady)
        }
    }

    @Test func `Secure Boot is on where it is required, though no script says so`() async throws {
        var options = LabHostOptions(secureBoot: true)
        options.hasSecureBootScript = false
        options.requiresSecureBoot = true
        try await ESXiBench.with(options, guests: []) { bench in
            #expect(try await bench.host.survey().secureBoot == .enabled)
            let orders = try bench.orders([])
            #expect(await bench.reason { try await $0.arm(orders) } == .secureBoot)
        }
        options.requiresSecureBoot = false
        options.hasEncryptionSettings = false
        try await ESXiBench.with(options, guests: []) { bench in
            let survey = try await bench.host.survey()
            #expect(survey.secureBoot == .unknown)
        }
    }

    @Test func `another host's name is told, an address or another domain is not`() throws {
        let names = try #require(
            HostNames("   Fully Qualified Domain Name: esx1.lab\n   Host Name: esx1\n"))
        for name in ["esx1.lab", "ESX1", "esx1.other.example", "192.168.1.1", "fd00::1"] {
            #expect(names.fit(HostName(name)), "\(name)")
        }
        #expect(!names.fit(HostName("esx2.lab")))
    }

    @Test func `a guest whose process stays is not taken for off`() async throws {
        let stuck = LabHostGuest(
            vmid: 4, name: "stuck", vmxPath: "[ds1] s/s.vmx", power: .on, processStays: true)
        try await ESXiBench.with(guests: Self.guests + [stuck]) { bench in
            try await bench.host.powerOff(BootGuest(name: "web", vmxPath: "[ds1] web/web.vmx"))
            do throws(HostError) {
                try await bench.host.powerOff(BootGuest(name: "stuck", vmxPath: stuck.vmxPath))
                Issue.record("it is taken for off")
            } catch {
                #expect(error.reason == .refused)
                #expect(error.detail.contains("--world-id=35004"), "\(error.detail)")
            }
        }
    }

    @Test func `where a release says no more than failed, the reason comes from the task`()
        async throws
    {
        let options = LabHostOptions(failureText: .bare, failureStatus: 1)
        try await ESXiBench.with(options, guests: Self.guests) { bench in
            try await bench.host.powerOff(BootGuest(name: "web", vmxPath: "[ds1] web/web.vmx"))
            await bench.site.setAnswer("esx1", vmid: 2, .failed("out of memory"))
            do throws(HostError) {
                try await bench.host.powerOn(BootGuest(name: "web", vmxPath: "[ds1] web/web.vmx"))
                Issue.record("it started")
            } catch {
                #expect(error.detail == "GenericVmConfigFault: out of memory")
            }
        }
    }

    @Test func `a question is answered as the site file says, and else told with its choices`()
        async throws
    {
        let off = LabHostGuest(vmid: 9, name: "moved", vmxPath: "[ds1] m/m.vmx")
        let guest = BootGuest(name: off.name, vmxPath: off.vmxPath)
        try await ESXiBench.with(guests: [off]) { bench in
            await bench.site.setAnswer("esx1", vmid: 9, .question)
            do throws(HostError) {
                try await bench.host.powerOn(guest)
                Issue.record("it started")
            } catch {
                #expect(error.reason == .refused)
                #expect(
                    error.detail.hasSuffix(
                        "`vim-cmd vmsvc/message 9 0 N`, N one of: 0 Cancel, 1 I _moved it, "
                            + "2 I _copied it"), "\(error.detail)")
            }
            #expect(await !bench.site.events.contains { $0.what.hasPrefix("answered") })
            #expect(await bench.reason { try await $0.shutDown(guest) } == nil)
        }
        let answers = [QuestionAnswer(match: "msg.uuid.altered", choose: "I moved it")]
        try await ESXiBench.with(guests: [off], answers: answers) { bench in
            await bench.site.setAnswer("esx1", vmid: 9, .question)
            try await bench.host.powerOn(guest)
            #expect(await bench.site.events.contains { $0.what == "answered 1" })
            #expect(try await bench.host.guests().first?.power == .on)
            await bench.site.setAnswer("esx1", vmid: 9, .question)
            try await bench.host.shutDown(guest)
            #expect(try await bench.host.guests().first?.power == .off)
        }
    }
}
