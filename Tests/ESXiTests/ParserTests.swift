import Foundation
import Glibc
import PowerModel
import Testing
import Transport

@testable import ESXi

@Suite struct `getallvms` {
    private func guests(_ sample: String) throws -> [ListedGuest] {
        try #require(GuestList(Sample.text(sample))).guests
    }

    @Test func `two guests of 5.5 are read whole`() throws {
        #expect(
            try guests("getallvms-5.5-two-vms") == [
                ListedGuest(
                    vmid: 1, name: "VM1", vmxPath: "[datastore1] VM1/VM1.vmx",
                    guestOS: "rhel6_64Guest", hardwareVersion: "vmx-08", annotation: ""),
                ListedGuest(
                    vmid: 2, name: "VM2", vmxPath: "[datastore1] VM2/VM2.vmx",
                    guestOS: "windows7Server64Guest", hardwareVersion: "vmx-08", annotation: ""),
            ])
    }

    @Test(
        arguments: [
            ("getallvms-6.0-one-vm", 1, "ate-tester1"), ("getallvms-6.5-two-vms", 11, "itachi_lab"),
            ("getallvms-7-one-vm", 1, "x7"),
        ])
    func `one release after the other is understood`(sample: String, id: Int, name: String) throws {
        let first = try #require(try guests(sample).first)
        #expect(first.vmid == id)
        #expect(first.name == name)
        #expect(first.vmxPath.hasSuffix("\(name)/\(name).vmx"))
    }

    @Test func `a note over several lines belongs to its guest and ids go by number`() throws {
        let guests = try guests("getallvms-7.0.3-multiline-annotation")
        #expect(guests.map(\.vmid) == [2, 6, 10, 12, 13])
        #expect(guests.map(\.name) == ["vm4", "vm7", "vm1", "vm2", "vm3"])
        let note = try #require(guests.first { $0.vmid == 12 }).annotation
        #expect(note.hasPrefix("First line of a note that an appliance image ships with."))
        #expect(note.hasSuffix("A second paragraph of that note, indented.\n\nanother line"))
        #expect(guests.first { $0.vmid == 6 }?.annotation == "vm7 Appliance")
    }

    @Test func `no guests is an empty list and not an error`() throws {
        #expect(try guests("getallvms-8-empty").isEmpty)
    }

    @Test func `an empty datastore name is a path like any other`() throws {
        let guest = try #require(try guests("getallvms-9.0.0-vcls-empty-datastore").first)
        #expect(guest.vmid == 1698)
        #expect(guest.vmxPath.hasPrefix("[] /var/run/crx/infra/vCLS-"))
    }

    @Test func `names with brackets and blanks and line breaks and paths with colons are kept`() {
        let text = """
            Vmid   Name   File   Guest OS   Version   Annotation
            7      a [b] (c)   [host:data store] a [b]/x.vmx   otherGuest   vmx-9
            8      two
            lines   [d] y/y.vmtx   otherGuest   vmx-13   note
            9      not a row
            10     z   [d] z.vmx.vmx   otherGuest   vmx-13
            """
        let guests = GuestList(text)?.guests ?? []
        #expect(guests.map(\.name) == ["a [b] (c)", "two\nlines", "z"])
        #expect(
            guests.map(\.vmxPath) == [
                "[host:data store] a [b]/x.vmx", "[d] y/y.vmtx", "[d] z.vmx.vmx",
            ])
        #expect(guests.map(\.annotation) == ["", "note\n9      not a row", ""])
    }

    @Test func `line ends of Windows in a note do no harm`() {
        let text =
            "Vmid   Name   File   Guest OS   Version   Annotation\r\n"
            + "1      a   [d] a.vmx   o   vmx-9   one\r\ntwo\r\n2      b   [d] b.vmx   o   vmx-9\r\n"
        #expect(GuestList(text)?.guests.map(\.annotation) == ["one\ntwo", ""])
    }

    @Test(arguments: ["", "\n", "Failed to login: Connection reset by peer\n", "1   a   [d] a.vmx"])
    func `what has no header is no list`(text: String) {
        #expect(GuestList(text) == nil)
    }

    @Test func `skipped guests are read from standard error`() {
        let text = "Skipping invalid VM '30'\nother\nSkipping invalid VM '4'\nSkipping invalid VM '"
        #expect(GuestList.skipped(text) == [30, 4])
    }
}

@Suite struct `Other outputs of a host` {
    @Test func `power states are read and nothing else is taken for one`() throws {
        #expect(VimText.power(try Sample.text("power-getstate-on")) == .on)
        #expect(VimText.power(try Sample.text("power-getstate-off-9.0.0")) == .off)
        #expect(VimText.power("Retrieved runtime info\nSuspended\n") == .suspended)
        #expect(VimText.power("Powered off\n") == nil)
        #expect(VimText.power(try Sample.text("fault-notfound-8")) == nil)
    }

    @Test func `the three generations of a failure are understood`() throws {
        let old = try #require(VimFault(Sample.text("power-on-already-on-old")))
        #expect(old.type == "InvalidPowerState")
        #expect(old.message.hasPrefix("The attempted operation cannot be performed"))
        #expect(!old.message.contains("\n"))
        #expect(
            VimFault(try Sample.text("power-on-already-on-6.0-6.5"))
                == VimFault(type: nil, message: "Power on failed"))
        let new = try #require(VimFault(Sample.text("power-on-failed-9.0.0-GenericVmConfigFault")))
        #expect(new.type == "GenericVmConfigFault")
        #expect(new.message == "This host does not support AMD-V.")
        #expect(VimFault(try Sample.text("power-on-ok-6.5")) == nil)
    }

    @Test func `a message with quotes in it is kept`() throws {
        let fault = try #require(VimFault(Sample.text("fault-notfound-8")))
        #expect(fault.type == "NotFound")
        #expect(fault.message == #"Unable to find a VM corresponding to "1""#)
        #expect(fault.meansGone)
    }

    @Test func `a hostd that is not there is told by its recorded texts`() throws {
        #expect(VimText.saysNotReady(try Sample.text("hostd-down-esxcli-5.x")))
        #expect(VimText.saysNotReady("Failed to login: Connection reset by peer\n"))
        #expect(!VimText.saysNotReady(try Sample.text("fault-notfound-8")))
    }

    @Test func `a property that stands twice has no value`() throws {
        let summary = try Sample.text("get-summary-4.x")
        #expect(
            VimText.property("vmPathName", in: summary)
                == "[nfs-datastore] vm-ark-mcnc-9_234-v12/vm-ark-mcnc-9_234-v12.vmx")
        #expect(VimText.property("template", in: summary) == "false")
        #expect(VimText.property("dynamicType", in: summary) == nil)
        #expect(VimText.property("nothing", in: summary) == nil)
    }

    @Test func `drift is what auto-backup prints besides its progress`() throws {
        #expect(
            AutoBackup.drift(try Sample.text("auto-backup-5.1-binary-differ")) == [
                "Files /etc/vmware/dvsdata.db and /tmp/auto-backup.5979//etc/vmware/dvsdata.db differ"
            ])
        let lines = AutoBackup.drift(try Sample.text("auto-backup-6.7-localsh-diff"))
        #expect(lines.first == "--- /etc/rc.local.d/local.sh")
        #expect(lines.last == "-exit 0")
        let flood = AutoBackup.drift(String(repeating: "x\n", count: 5000))
        #expect(flood.count == AutoBackup.linesMax + 1)
    }

    @Test func `maintenance mode and Secure Boot are read strictly`() throws {
        #expect(
            MaintenanceText.isEnabled(try Sample.text("maintenanceMode-get-enabled-7.0")) == true)
        #expect(MaintenanceText.isEnabled("Disabled\n") == false)
        #expect(MaintenanceText.isEnabled("Disabled\nEnabled\n") == nil)
        #expect(SecureBoot("Disabled\n") == .disabled)
        #expect(SecureBoot("Enabled\n") == .enabled)
        #expect(SecureBoot("sh: secureBoot.py: not found") == .unknown)
    }

    @Test func `what a service script says of its state is read or not understood`() {
        for text in ["hostd is running.\n", "vmware-fdm (pid 4521) is running", "Started"] {
            #expect(ServiceText.isRunning(text) == true, "\(text)")
        }
        for text in ["vmware-fdm is not running.\n", "vmware-fdm is stopped", "Not started"] {
            #expect(ServiceText.isRunning(text) == false, "\(text)")
        }
        for text in ["", "sh: /etc/init.d/vmware-fdm: Permission denied"] {
            #expect(ServiceText.isRunning(text) == nil, "\(text)")
        }
    }

    @Test func `sections come back byte for byte and cannot be forged`() {
        let nonce = Sections.Nonce()
        let other = Sections.Nonce()
        #expect(nonce != other)
        let text = "a\n\(other.text) end\n\n"
        let output = "before\n\(nonce.text) one\n\(text)\n\(nonce.text) two\n\n\(nonce.text) end\n"
        let sections = Sections(Array(output.utf8), nonce)
        #expect(sections.isComplete)
        #expect(sections.text("one") == text)
        #expect(sections.text("two") == "")
        for count in 0..<(output.utf8.count - 1) {
            #expect(!Sections(Array(output.utf8.prefix(count)), nonce).isComplete)
        }
    }
}

@Suite struct `Quoting and sums` {
    static let nasty = [
        "", "'", "''", #"$(reboot)'"; `x` 日本語"#, "two\nlines", "\\", "a b\tc", "!#~*?[x]", "-n",
        "\u{1b}[31m", "\r\n", "$PATH",
    ]

    @Test(arguments: nasty) func `sh reads back exactly what was quoted`(text: String) throws {
        // Independent: the shell itself, in a child that prints its one argument.
        var descriptors: [Int32] = [0, 0]
        #expect(pipe(&descriptors) == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, descriptors[1], 1)
        let script = "printf %s \(ShellWord.quoted(text))"
        var words: [UnsafeMutablePointer<CChar>?] =
            ["sh", "-c", script].map { (word: String) in
                strdup(word)
            } + [nil]
        var pid: pid_t = 0
        #expect(posix_spawn(&pid, "/bin/sh", &actions, nil, &words, environ) == 0)
        close(descriptors[1])
        let read = FileHandle(fileDescriptor: descriptors[0], closeOnDealloc: true)
            .readDataToEndOfFile()
        waitpid(pid, nil, 0)
        words.forEach { free($0) }
        posix_spawn_file_actions_destroy(&actions)
        #expect(Array(read) == Array(text.utf8))
    }

    @Test func `sums are those of FIPS 180-4`() {
        #expect(
            SHA256.hexadecimal([])
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            SHA256.hexadecimal(Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.hexadecimal(
                Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            SHA256.hexadecimal([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
