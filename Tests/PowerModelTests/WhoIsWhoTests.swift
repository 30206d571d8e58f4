import PowerModel
import Testing

/// Who is who, by evidence (facts/vsphere.md 2.17).
struct WhoIsWhoTests {
    private static let uuid = "421f245c-7fa8-60fa-6af6-a46351ced0eb"
    private static let serial = "VMware-42 1f 24 5c 7f a8 60 fa-6a f6 a4 63 51 ce d0 eb"
    private static let swapped = "5C241F42-A87F-FA60-6AF6-A46351CED0EB"

    private func guest(
        _ name: String, uuid: String? = nil, host: String? = nil, _ addresses: String...
    ) -> GuestEvidence {
        GuestEvidence(
            id: Fixture.id(name), name: name, biosUUID: uuid, hostName: host, addresses: addresses)
    }

    // MARK: vCSA

    private static let vcenter = VCenterEvidence(
        names: ["vc.example.org", "10.0.0.5"], addresses: ["10.0.0.5", "FE80::1%eth0"])

    @Test(arguments: [
        ("VC.example.org", "10.9.9.9", true), ("vc", "10.9.9.9", true),
        ("other", "10.0.0.5", true), ("other", "fe80::1", true),
        ("vc.example.com", "10.9.9.9", false), ("vcx", "10.0.0.55", false), ("10", "", false),
    ])
    func `vCSA is the guest with its host name or an address of it`(
        host: String, address: String, isIt: Bool
    ) {
        let guests = [guest("web", host: "web", "10.0.0.7"), guest("v", host: host, address)]
        let found = WhoIsWho.vcsa(Self.vcenter, among: guests)
        #expect((found == .guest(Fixture.id("v"))) == isIt, "\(found)")
    }

    @Test func `two candidates are named, and so is what was looked for where there is none`() {
        let twins = [
            guest("vc", host: "vc"), guest("vc\nclone", host: "vc", "10.0.0.6"), guest("web"),
        ]
        guard case .unclear(let both) = WhoIsWho.vcsa(Self.vcenter, among: twins) else {
            Issue.record("one of two was taken")
            return
        }
        #expect(both.contains("vc (id-vc)") && both.contains("vc\\u{a}clone (id-vc"))
        #expect(!both.contains("web"))
        guard case .unclear(let none) = WhoIsWho.vcsa(Self.vcenter, among: [guest("web")]) else {
            Issue.record("a guest without evidence was taken")
            return
        }
        #expect(none.contains("vc.example.org"))
    }

    @Test func `the plan takes the vCSA that was found, unless the site file names one`() throws {
        var fixture = Fixture(guests: [Fixture.guest("app-1")])
        fixture.site.vcsaGuest = nil
        fixture.site.findsVCSA = true
        fixture.snapshot.inventory.found.vcsa = .guest(Fixture.id("vcsa"))
        #expect(try fixture.shutdown().ids(.vcsa) == ["stop/id-vcsa"])
        #expect(try fixture.restore().ids(.vcsaBack) == ["start/id-vcsa"])
        fixture.site.vcsaGuest = "app-1"
        #expect(try fixture.shutdown().ids(.vcsa) == ["stop/id-app-1"])
    }

    @Test(arguments: [Finding.unclear("it is of a (1), b (2)"), nil])
    func `no plan is made where vCSA cannot be told, and the key is named`(found: Finding?) {
        var fixture = Fixture()
        fixture.site.vcsaGuest = nil
        fixture.site.findsVCSA = true
        fixture.snapshot.inventory.found.vcsa = found
        let error = planError { () throws(PlanError) in try fixture.shutdown() }
        #expect(error?.summary.contains("cannot be told") == true)
        #expect(found == nil || error?.summary.contains("a (1), b (2)") == true)
        #expect(error?.tryThis.contains("`vcsa`") == true)
        #expect(error?.tryThis.contains("`vcsaElsewhere: true`") == true)
    }

    // MARK: The controller

    @Test(arguments: [
        MachineEvidence(serial: serial, uuid: nil), MachineEvidence(serial: nil, uuid: swapped),
        MachineEvidence(serial: nil, uuid: uuid),
        // What is not swapped decides.
        MachineEvidence(serial: serial, uuid: "00000000-0000-0000-0000-000000000000"),
    ])
    func `the controller is known by its serial number and by its UUID in both byte orders`(
        machine: MachineEvidence
    ) {
        let guests = [
            guest("web", uuid: "421f245c-7fa8-60fa-6af6-a46351ced0ec"),
            guest("vpower", uuid: Self.uuid),
        ]
        #expect(WhoIsWho.controller(machine, among: guests) == .guest(Fixture.id("vpower")))
        #expect(machine.hasIdentity)
    }

    @Test(arguments: [
        MachineEvidence(serial: "VMware-42 1f", uuid: nil),
        MachineEvidence(serial: "7XJ1ZZ2", uuid: nil), MachineEvidence(serial: nil, uuid: "x"),
        MachineEvidence(serial: serial, uuid: nil, addresses: []),
    ])
    func `a machine that is none of the guests is none of them`(machine: MachineEvidence) {
        let guests = [guest("web", uuid: Self.swapped), guest("mute", uuid: nil)]
        #expect(WhoIsWho.controller(machine, among: guests) == nil)
    }

    @Test func `of clones with one BIOS UUID the one with an address of this machine is it`() {
        let machine = MachineEvidence(
            serial: Self.serial, addresses: ["10.0.0.9", "00:50:56:AA:00:01"])
        let clone = guest("clone", uuid: Self.uuid, "10.0.0.8")
        for own in ["10.0.0.9", "00:50:56:aa:00:01"] {
            let guests = [clone, guest("vpower", uuid: Self.uuid, own)]
            #expect(WhoIsWho.controller(machine, among: guests) == .guest(Fixture.id("vpower")))
        }
        let found = WhoIsWho.controller(
            machine, among: [clone, guest("other", uuid: Self.uuid, "10.0.0.7")])
        guard case .unclear(let why) = found else {
            Issue.record("one of two clones was taken: \(String(describing: found))")
            return
        }
        #expect(why.contains("clone (id-clone), other (id-other)"))
    }

    @Test
    func
        `a controller that was found is the last to go, as one that is named, but not against the word of the site file`()
        throws
    {
        var fixture = Fixture(guests: [Fixture.guest("app-1")])
        for found in [Finding.guest(Fixture.id("app-1")), .unclear("it is of a (1), b (2)")] {
            fixture.snapshot.inventory.found.controller = found
            fixture.site.controllerElsewhere = false
            if case .guest = found {
                #expect(try fixture.shutdown().phases.last?.name == .controllerHost)
            } else {
                let error = planError { () throws(PlanError) in try fixture.shutdown() }
                #expect(error?.summary.contains("a (1), b (2)") == true)
                #expect(error?.tryThis.contains("`controller`") == true)
            }
            fixture.site.controllerElsewhere = true
            #expect(try fixture.shutdown().phase(.controllerHost) == nil)
        }
    }

    @Test func `what was found before holds where it cannot be told now`() {
        let before = FoundGuests(vcsa: .guest(GuestID("a")), controller: .guest(GuestID("c")))
        let now = FoundGuests(vcsa: .unclear("two"), controller: nil)
        #expect(now.filled(from: before) == before)
        let moved = FoundGuests(vcsa: .guest(GuestID("b")))
        #expect(moved.filled(from: before).vcsa == .guest(GuestID("b")))
        #expect(now.filled(from: FoundGuests()).vcsa == .unclear("two"))
    }
}
