import Testing

@testable import PowerLab

/// Against unedited captures of real hosts (facts/esxi-samples), whose line ends were stripped.
@Suite struct LabESXiOutputTests {
    private func stripped(_ text: String) -> [String] {
        text.split(separator: "\n").map { line in
            var line = line
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }

    private func guest(
        _ vmid: Int, _ name: String, _ path: String, _ os: String, _ hardware: String
    )
        -> LabHostGuest
    {
        LabHostGuest(
            vmid: vmid, name: name, vmxPath: path, guestOS: os, hardwareVersion: hardware)
    }

    @Test func `getallvms is laid out as 6_0, 6_5, 8 and 9_0 do`() {
        #expect(
            stripped(
                LabESXiOutput.allGuests([
                    guest(
                        1, "ate-tester1", "[datastore1] ate-tester1/ate-tester1.vmx",
                        "windows7Guest", "vmx-11")
                ])) == [
                    "Vmid      Name                         File                       Guest OS      Version   Annotation",
                    "1      ate-tester1   [datastore1] ate-tester1/ate-tester1.vmx   windows7Guest   vmx-11",
                ])
        #expect(
            stripped(
                LabESXiOutput.allGuests([
                    guest(
                        11, "itachi_lab", "[datastore1] itachi_lab/itachi_lab.vmx", "ubuntu64Guest",
                        "vmx-13"),
                    guest(
                        12, "itachi_backupTest",
                        "[datastore1] itachi_backupTest/itachi_backupTest.vmx", "ubuntu64Guest",
                        "vmx-13"),
                ])) == [
                    "Vmid         Name                                  File                             Guest OS      Version   Annotation",
                    "11     itachi_lab          [datastore1] itachi_lab/itachi_lab.vmx                 ubuntu64Guest   vmx-13",
                    "12     itachi_backupTest   [datastore1] itachi_backupTest/itachi_backupTest.vmx   ubuntu64Guest   vmx-13",
                ])
        #expect(
            LabESXiOutput.allGuests([])
                == "Vmid   Name   File   Guest OS   Version   Annotation\n")
        let name = "vCLS-6b723342-8292-1962-f970-0422f48bc6ea"
        let pod = LabESXiOutput.allGuests([
            guest(1698, name, "[] /var/run/crx/infra/\(name)/\(name).vmx", "crxSys1Guest", "vmx-21")
        ])
        #expect(
            pod.hasSuffix(
                "\n1698   \(name)   [] /var/run/crx/infra/\(name)/\(name).vmx   crxSys1Guest   vmx-21              \n"
            ))
        #expect(pod.hasPrefix("Vmid                     Name        "))
    }

    @Test func `the already-on failure is that of the old and the middle generation`() {
        let answer = LabPowerAnswer.wrongState(existing: .on)
        #expect(
            LabESXiOutput.powerFailure(.on, answer, as: .bare)
                == "Powering on VM:\nPower on failed\n")
        #expect(
            LabESXiOutput.powerFailure(.on, answer, as: .dump)
                .hasPrefix(
                    """
                    Powering on VM:
                    (vim.fault.InvalidPowerState) {
                       dynamicType = <unset>,
                       faultCause = (vmodl.MethodFault) null,
                       requestedState = "poweredOn",
                       existingState = "poweredOn",
                       msg = "The attempted operation cannot be performed in the current state (Powered On)."
                    """))
    }

    @Test func `volumes are listed as 8_0_2 does, also one without a mount point`() {
        let text = LabESXiCommands.fileSystems([
            LabHostDatastore(
                name: "DS132_DS01_SATA_1TB", uuid: "600d9cc6-915fbb51-f64b-d8d385d87c24"),
            LabHostDatastore(
                name: "gone one", uuid: "600db95c-59132542-33a3-d8d385d87c24", mounted: false),
        ]).text
        let lines = text.split(separator: "\n")
        #expect(
            lines[0]
                == "Mount Point                                        Volume Name          UUID                                 Mounted  Type            Size          Free"
        )
        #expect(
            lines[2]
                == "/vmfs/volumes/600d9cc6-915fbb51-f64b-d8d385d87c24  DS132_DS01_SATA_1TB  600d9cc6-915fbb51-f64b-d8d385d87c24     true  VMFS-6  999922073600  591568830464"
        )
        #expect(lines[3].hasPrefix("                                                   gone one  "))
    }
}
