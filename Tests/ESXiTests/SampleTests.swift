import PowerModel
import Templates
import Testing

@testable import ESXi
@testable import PowerLab

/// Every recorded output is read, to a value that is written down here.
@Suite struct `Every recorded output` {
    typealias Reading = (of: @Sendable (String) -> Any?, gives: String)

    static let readings: [String: Reading] = [
        "auto-backup-5.1-binary-differ": (
            AutoBackup.drift,
            #"["Files /etc/vmware/dvsdata.db and /tmp/auto-backup.5979//etc/vmware/dvsdata.db differ"]"#
        ),
        "auto-backup-6.7-localsh-diff": ({ AutoBackup.drift($0).count }, "19"),
        "autostartseq-7.0.3": (
            { AutostartEntry.list($0)?.map { "\($0.order). \($0.vmid) \($0.starts)" } },
            #"["1. 3 true", "2. 13 true"]"#
        ),
        "autostartseq-empty": (AutostartEntry.list, "[]"),
        "busybox-list-5.5": ({ applets($0).count }, "105"),
        "crontab-root-6.7": (Crontab.savesAtMinute, "1"),
        "datastore-listsummary-4.x": (
            { DatastoreSummary.list($0)?.map { "\($0.name) \($0.type) \($0.isAccessible)" } },
            #"["local-datastore VMFS true", "nfs-datastore NFS true"]"#
        ),
        "esxcli-unknown-namespace-9.0.0": (EsxcliText.isUnknownCommand, "true"),
        "fault-notfound-8": (
            { VimFault($0).map { "\($0.type ?? "") \($0.message)" } },
            #"NotFound Unable to find a VM corresponding to "1""#
        ),
        "filesystem-list-7.0.3": (
            { HostVolume.list($0)?.map { "\($0.name) \($0.type) \($0.isMounted)" } },
            #"["ds1 VMFS-6 true", "ds2 VMFS-6 true", "#
                + #""OSDATA-00000000-00000000-0000-000000000003 VFFS true", "BOOTBANK1 vfat true"]"#
        ),
        "filesystem-list-8.0.2": (
            { HostVolume.list($0)?.map { "\($0.name) \($0.type) \($0.uuid.prefix(8))" } },
            #"["DS132_DS01_SATA_1TB VMFS-6 600d9cc6", "DS132_DS02_SATA_1TB VMFS-6 600db95c", "#
                + #""datastore1 VMFS-6 6a91690e", "#
                + #""OSDATA-6a91690d-eac44959-2d46-001b21e7d76e VMFSOS 6a91690d", "#
                + #""BOOTBANK1 vfat b67455de", "BOOTBANK2 vfat 5996ff6e"]"#
        ),
        "get-guest-7-tools-not-installed-off": (ToolsText.run, "false"),
        "get-guest-7.0.3-fragment-tools-running": (ToolsText.run, "true"),
        "get-summary-4.x": (
            { VimText.property("vmPathName", in: $0) },
            "[nfs-datastore] vm-ark-mcnc-9_234-v12/vm-ark-mcnc-9_234-v12.vmx"
        ),
        "get-tasklist-4.x": (
            HostTask.names,
            #"["haTask-512-vim.VirtualMachine.powerOn-2826", "#
                + #""haTask-512-vim.VirtualMachine.powerOn-2843", "#
                + #""haTask-512-vim.VirtualMachine.powerOn-2856"]"#
        ),
        "getallvms-5.5-two-vms": (listed, #"["1 VM1", "2 VM2"]"#),
        "getallvms-6.0-one-vm": (listed, #"["1 ate-tester1"]"#),
        "getallvms-6.5-two-vms": (listed, #"["11 itachi_lab", "12 itachi_backupTest"]"#),
        "getallvms-7-one-vm": (listed, #"["1 x7"]"#),
        "getallvms-7.0.3-multiline-annotation": (
            listed, #"["2 vm4", "6 vm7", "10 vm1", "12 vm2", "13 vm3"]"#
        ),
        "getallvms-8-empty": (listed, "[]"),
        "getallvms-9.0.0-vcls-empty-datastore": (
            listed, #"["1698 vCLS-6b723342-8292-1962-f970-0422f48bc6ea"]"#
        ),
        "hostd-down-esxcli-5.x": (VimText.saysNotReady, "true"),
        "localsh-header-7.0-8.0": ({ $0 == LabRootfsScripts.stockLocalSh }, "true"),
        "maintenanceMode-get-enabled-7.0": (MaintenanceText.isEnabled, "true"),
        "message-uuid-altered-a": (
            { QuestionText.question($0)?.choices.map { "\($0.key) \($0.label)" } },
            #"["0 Cancel", "1 I _moved it", "2 I _copied it"]"#
        ),
        "power-getstate-off-9.0.0": (VimText.power, "off"),
        "power-getstate-on": (VimText.power, "on"),
        "power-on-already-on-6.0-6.5": ({ VimFault($0)?.message }, "Power on failed"),
        "power-on-already-on-old": ({ VimFault($0)?.type }, "InvalidPowerState"),
        "power-on-failed-9.0.0-GenericVmConfigFault": (
            { VimFault($0)?.message }, "This host does not support AMD-V."
        ),
        "power-on-ok-6.5": ({ VimFault($0) == nil }, "true"),
        "secureboot-and-encryption-7.0-off": (
            { text in
                let parts = text.split(separator: "\n").split { $0.hasPrefix("$ ") }
                    .map { $0.joined(separator: "\n") }
                let settings = EncryptionSettings(parts[1])
                return "\(SecureBoot(parts[0])) \(settings?.mode ?? "") "
                    + "\(settings?.requiresSecureBoot == true)"
            }, "disabled NONE false"
        ),
        // Nobody logs in with a terminal: what is printed before a script's first line of its own
        // is not its answer.
        "ssh-login-banner-9.0.0": (
            { text in
                let nonce = Sections.Nonce()
                let output = "\(text)\n\(nonce.text) said\nyes\n\(nonce.text) end\n"
                return Sections(Array(output.utf8), nonce).text("said")
            }, "yes"
        ),
        "sshd_config-8.0.2": ({ differing($0, from: .v802) }, "[]"),
        "storage-nfs-list-7.0": (
            { NFSMount.list($0)?.map { "\($0.name) \($0.server):\($0.share) \($0.isAccessible)" } },
            #"["nfsbackup 192.168.1.22:/volume1/vmnfsbackup true"]"#
        ),
        "system-hostname-get-9.0.0": (
            { HostNames($0).map { "\($0.short) \($0.full)" } }, "esxi01nitya esxi01nitya"
        ),
        "system-version-get-9.0.0": (
            { HostRelease($0).map { "\($0)" } }, "VMware ESXi 9.0.0, build 24755229"
        ),
        "system-version-get-json-8.0.3": (
            { HostRelease($0).map { "\($0)" } }, "VMware ESXi 8.0.3, build 25205845"
        ),
        "task-info-4.x-error": (
            { text in
                HostTask(text).map { task in
                    "\(task.name) \(task.state) \(task.fault?.type ?? ""): "
                        + "\(task.fault?.message ?? "")"
                }
            },
            "vim.VirtualMachine.powerOn error RequestCanceled: "
                + "The task was canceled by a user."
        ),
        "vm-process-list-6.x-spaces": (
            { text in
                GuestProcess.list(text)?.map { "\($0.world) \($0.file ?? "not shown")" }
            },
            #"["35149 /vmfs/volumes/574c0c05-a86acb5e-4588-001d0921409d/vm01/vm01.vmx", "#
                + #""33590679 not shown"]"#
        ),
        "vsan-cluster-get-9.0-doc": (
            { VSANText.membership($0).map { "\($0.members) \($0.isHealthy)" } }, "16 true"
        ),
    ]

    private static func listed(_ text: String) -> [String]? {
        GuestList(text)?.guests.map { "\($0.vmid) \($0.name)" }
    }

    /// The directives of a recorded sshd whose values the lab's profile has otherwise.
    private static func differing(_ recorded: String, from profile: LabSSHProfile) -> [String] {
        let ours = Dictionary(
            profile.directives.map { ($0.key.lowercased(), $0.value.lowercased()) },
            uniquingKeysWith: { first, _ in first })
        return VimText.lines(of: recorded).compactMap { line in
            let words = line.lowercased().split(separator: " ", maxSplits: 1).map(String.init)
            // Newer OpenSSH has another name for it.
            let key =
                words[0] == "challengeresponseauthentication"
                ? "kbdinteractiveauthentication" : words[0]
            let values = words[1].replacing(", ", with: " ")
            return LabSSHProfile.leftOut.contains(words[0]) || ours[key] == values ? nil : key
        }
    }

    fileprivate static func applets(_ text: String) -> Set<String> {
        Set(text.split { $0 == " " || $0 == "\n" }.map(String.init))
    }

    @Test func `has a reading, and each is what was written down`() throws {
        #expect(try Sample.names == Self.readings.keys.sorted())
        for (name, reading) in Self.readings {
            let value = reading.of(try Sample.text(name))
            #expect(value.map { "\($0)" } == reading.gives, "\(name)")
        }
    }

    @Test func `of applets has each that the lab's hosts have`() throws {
        let recorded = Self.applets(try Sample.text("busybox-list-5.5"))
        #expect(Set(LabRootfs.applets).subtracting(recorded) == [])
        // Of what local.sh is written with: these are not there, whatever else a shell has.
        #expect(recorded.isDisjoint(with: ["tr", "nc", "ps", "flock", "base64", "bc", "bash"]))
    }

    @Test func `of root's crontab is that of the lab's hosts`() throws {
        #expect(
            try Sample.text("crontab-root-6.7").trimmed == LabRootfsScripts.crontab.trimmed)
    }

    @Test func `of a question is understood whole`() throws {
        let question = try #require(
            QuestionText.question(Sample.text("message-uuid-altered-a")))
        #expect(question.id == "0")
        #expect(question.messages == ["msg.uuid.altered"])
        #expect(question.text.hasPrefix("msg.uuid.altered:This virtual machine may have been"))
        #expect(question.text.hasSuffix("answer \"I copied it\"."))
        for (choose, key) in [("I copied it", "2"), ("I moved it", "1"), ("cancel", "0")] {
            let answer = QuestionAnswer(match: "msg.uuid.altered", choose: choose)
            #expect(QuestionAnswer.choice(for: question, by: [answer])?.key == key)
        }
    }
}

extension String {
    fileprivate var trimmed: String { VimText.lines(of: self).joined(separator: "\n") }
}
