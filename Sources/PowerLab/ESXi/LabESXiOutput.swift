/// What a simulated host prints: pure functions, checked against recorded outputs.
enum LabESXiOutput {
    // MARK: - Tables

    /// `vim-cmd vmsvc/getallvms`: facts/esxi.md 1.1. Rows go by the id as text; annotations are
    /// printed as they are, line breaks too, and count whole for the width.
    static func allGuests(_ guests: [LabHostGuest]) -> String {
        let header = ["Vmid", "Name", "File", "Guest OS", "Version", "Annotation"]
        let rows = guests.filter { !$0.invalid }
            .map {
                [
                    String($0.vmid), $0.name, $0.vmxPath, $0.guestOS, $0.hardwareVersion,
                    $0.annotation,
                ]
            }
            .sorted { $0[0].utf8.lexicographicallyPrecedes($1[0].utf8) }
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].unicodeScalars.count }.max() ?? 0
        }
        var lines = [
            header.indices.map { column in
                let spare = widths[column] - header[column].count
                let left = column == 0 ? 0 : spare / 2
                return blanks(left) + header[column] + blanks(spare - left)
            }.joined(separator: "   ")
        ]
        // The last header is not padded on its right (captures of 5.5 to 9.0).
        lines[0] = String(lines[0].trimmingEnd())
        lines += rows.map { row in
            row.indices.map { pad(row[$0], to: widths[$0]) }.joined(separator: "   ")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `Skipping invalid VM`: one line each, on standard error.
    static func invalidGuests(_ guests: [LabHostGuest]) -> String {
        guests.filter(\.invalid).map { "Skipping invalid VM '\($0.vmid)'\n" }.joined()
    }

    /// A table of esxcli: two blanks between columns, a line of dashes, numbers and truth values
    /// to the right.
    static func table(_ header: [String], rightAligned: Set<Int>, _ rows: [[String]]) -> String {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].unicodeScalars.count }.max() ?? 0
        }
        func line(_ row: [String]) -> String {
            row.indices.map { column in
                rightAligned.contains(column)
                    ? blanks(widths[column] - row[column].unicodeScalars.count) + row[column]
                    : pad(row[column], to: widths[column])
            }.joined(separator: "  ")
        }
        let dashes = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return ([String(line(header).trimmingEnd()), dashes] + rows.map(line))
            .joined(separator: "\n") + "\n"
    }

    // MARK: - Dumps

    /// `vim-cmd vmsvc/power.getstate`.
    static func powerState(_ power: LabGuestPower) -> String {
        let words =
            switch power {
            case .on: "Powered on"
            case .off: "Powered off"
            case .suspended: "Suspended"
            }
        return "Retrieved runtime info\n\(words)\n"
    }

    /// `vim-cmd vmsvc/get.guest`, the properties that matter.
    static func guestInformation(_ guest: LabHostGuest) -> String {
        let running = guest.toolsRunning && guest.power == .on
        return """
            Guest information:

            (vim.vm.GuestInfo) {
               toolsStatus = "\(running ? "toolsOk" : "toolsNotRunning")", 
               toolsRunningStatus = "\(running ? "guestToolsRunning" : "guestToolsNotRunning")", 
               ipAddress = <unset>, 
               guestState = "\(guest.power == .on ? "running" : "notRunning")"
            }

            """
    }

    /// `vim-cmd vmsvc/get.summary`. Strings are printed as they are, without escapes.
    static func summary(_ guest: LabHostGuest) -> String {
        """
        Listsummary:

        (vim.vm.Summary) {
           vm = 'vim.VirtualMachine:\(guest.vmid)', 
           runtime = (vim.vm.RuntimeInfo) {
              powerState = "\(apiState(guest.power))", 
              question = (vim.vm.QuestionInfo) \(guest.hasQuestion ? "{ id = \"0\" }" : "null")
           }, 
           guest = (vim.vm.Summary.GuestSummary) {
              toolsRunningStatus = "\(guest.toolsRunning && guest.power == .on
                  ? "guestToolsRunning" : "guestToolsNotRunning")"
           }, 
           config = (vim.vm.Summary.ConfigSummary) {
              name = "\(guest.name)", 
              template = false, 
              vmPathName = "\(guest.vmxPath)", 
              guestId = "\(guest.guestOS)", 
              annotation = "\(guest.annotation)"
           }, 
           overallStatus = "green"
        }

        """
    }

    /// `vim-cmd hostsvc/runtimeinfo`.
    static func runtimeInformation(inMaintenance: Bool) -> String {
        """
        (vim.host.RuntimeInfo) {
           connectionState = "connected", 
           powerState = "poweredOn", 
           standbyMode = "none", 
           inMaintenanceMode = \(inMaintenance), 
           inQuarantineMode = <unset>, 
           healthSystemRuntime = (vim.host.HealthStatusSystem.Runtime) null
        }

        """
    }

    /// `vim-cmd hostsvc/datastore/listsummary`: what guests can be on, so no boot bank.
    static func datastores(_ datastores: [LabHostDatastore]) -> String {
        list(
            of: "vim.Datastore.Summary",
            datastores.filter { $0.type != "vfat" }.map { volume in
                [
                    "datastore = 'vim.Datastore:\(volume.uuid)'", "name = \"\(volume.name)\"",
                    "url = \"/vmfs/volumes/\(volume.uuid)\"",
                    "accessible = \(volume.accessible && volume.mounted)",
                    "type = \"\(volume.share == nil ? "VMFS" : "NFS")\"",
                ]
            })
    }

    /// `vim-cmd hostsvc/autostartmanager/get_autostartseq` of guests in this order.
    static func autostart(_ vmids: [Int]) -> String {
        list(
            of: "vim.host.AutoStartManager.AutoPowerInfo",
            vmids.enumerated().map { index, vmid in
                [
                    "key = 'vim.VirtualMachine:\(vmid)'", "startOrder = \(index + 1)",
                    "startDelay = -1", "waitForHeartbeat = \"systemDefault\"",
                    "startAction = \"powerOn\"", "stopDelay = -1",
                    "stopAction = \"systemDefault\"",
                ]
            })
    }

    /// `vim-cmd hostsvc/autostartmanager/get_defaults`: names by the API, the form by a parser of
    /// somebody's (facts/esxi.md 1.5).
    static func autostartDefaults(isOn: Bool) -> String {
        """
        (vim.host.AutoStartManager.SystemDefaults) {
           enabled = \(isOn), 
           startDelay = 120, 
           stopDelay = 120, 
           waitForHeartbeat = false, 
           stopAction = "PowerOff"
        }

        """
    }

    private static func list(of type: String, _ objects: [[String]]) -> String {
        if objects.isEmpty { return "(\(type)) []\n" }
        let dumps = objects.map { properties in
            "   (\(type)) {\n"
                + properties.map { "      \($0)" }.joined(separator: ", \n") + "\n   }"
        }
        return "(\(type)) [\n" + dumps.joined(separator: ", \n") + "\n]\n"
    }

    /// The fault for an object that is not there.
    static func managedObjectNotFound(_ name: String) -> String {
        """
        (vmodl.fault.ManagedObjectNotFound) {
           faultCause = (vmodl.MethodFault) null, 
           faultMessage = <unset>, 
           obj = 'vim.Task:\(name)'
           msg = "The object has already been deleted or has not been completely created"
        }

        """
    }

    /// The fault for an id that is not on this host.
    static func notFound(_ vmid: String) -> String {
        """
        (vim.fault.NotFound) {
           faultCause = (vmodl.MethodFault) null,
           faultMessage = <unset>
           msg = "Unable to find a VM corresponding to "\(vmid)""
        }

        """
    }

    /// How a power verb begins (facts/esxi.md 1.3); a shutdown says nothing.
    static func powerStart(_ verb: LabPowerVerb) -> String {
        switch verb {
        case .on: "Powering on VM:\n"
        case .off: "Powering off VM:\n"
        case .suspend: "Suspending VM:\n"
        case .shutdown: ""
        }
    }

    /// `vim-cmd vmsvc/message`, the question as it was recorded (facts/esxi.md 1.4).
    static func message(_ guest: LabHostGuest) -> String {
        guard guest.hasQuestion else { return "No message.\n" }
        return """
            Virtual machine message 0:
            msg.uuid.altered:This virtual machine may have been moved or copied.

            In order to configure certain management and networking features VMware ESX needs to \
            know which.

            Did you move this virtual machine, or did you copy it?
            If you don't know, answer "I copied it".
            0. Cancel (Cancel)
            1. I _moved it (I _moved it)
            2. I _copied it (I _copied it) [default]

            """
    }

    /// What `solo/registervm` says when it did not (facts/esxi.md 1.5).
    static func registerFailure(_ answer: LabRegisterAnswer) -> String {
        switch answer {
        case .alreadyExists(let vmid):
            """
            (vim.fault.AlreadyExists) {
               faultCause = (vmodl.MethodFault) null, 
               faultMessage = <unset>, 
               name = "\(vmid)"
               msg = "The specified key, name, or identifier '\(vmid)' already exists."
            }

            """
        case .failed(let why):
            """
            (vim.fault.VmConfigFault) {
               faultCause = (vmodl.MethodFault) null, 
               faultMessage = <unset>
               msg = "\(why)"
            }

            """
        case .notFound, .done:
            """
            (vim.fault.NotFound) {
               faultCause = (vmodl.MethodFault) null, 
               faultMessage = <unset>
               msg = "The object or item referred to could not be found."
            }

            """
        }
    }

    /// A failed power verb in the words of a generation.
    static func powerFailure(
        _ verb: LabPowerVerb, _ answer: LabPowerAnswer, as text: LabHostOptions.FailureText
    ) -> String {
        let dump = faultDump(verb, answer, as: text)
        // A shutdown prints nothing of its own: only the dump (facts/esxi.md 1.3).
        guard verb != .shutdown else { return dump }
        let began = powerStart(verb)
        let failed =
            switch verb {
            case .on: "Power on failed"
            case .suspend: "Suspend failed"
            case .off, .shutdown: "Power off failed"
            }
        return switch text {
        case .dump: began + dump
        case .bare: began + failed + "\n"
        case .sameLine: began + failed + ": " + dump
        }
    }

    private static func faultDump(
        _ verb: LabPowerVerb, _ answer: LabPowerAnswer, as text: LabHostOptions.FailureText
    ) -> String {
        let message: String
        let type: String
        var properties: [String] = []
        switch answer {
        case .wrongState(let existing):
            type = "InvalidPowerState"
            properties = [
                "requestedState = \"\(requestedState(verb))\"",
                "existingState = \"\(apiState(existing))\"",
            ]
            message =
                "The attempted operation cannot be performed in the current state "
                + "(\(existing == .on ? "Powered On" : existing == .off ? "Powered Off" : "Suspended"))."
        case .toolsUnavailable:
            type = "ToolsUnavailable"
            message =
                "Cannot complete operation because VMware Tools is not running in this virtual "
                + "machine."
        case .failed(let reason):
            type = "GenericVmConfigFault"
            properties = ["reason = \"\(reason)\""]
            message = reason
        case .question:
            type = "InvalidState"
            message = "The operation is not allowed in the current state."
        case .notFound, .done:
            type = "GenericVmConfigFault"
            message = "Failed to start the virtual machine."
        }
        let head =
            text == .dump
            ? ["dynamicType = <unset>", "faultCause = (vmodl.MethodFault) null"]
            : ["faultCause = (vmodl.MethodFault) null", "faultMessage = <unset>"]
        let separator = text == .dump ? "," : ", "
        let lines = (head + properties).map { "   " + $0 + separator } + ["   msg = \"\(message)\""]
        return "(vim.fault.\(type)) {\n" + lines.joined(separator: "\n") + "\n}\n"
    }

    private static func requestedState(_ verb: LabPowerVerb) -> String {
        switch verb {
        case .on: "poweredOn"
        case .suspend: "suspended"
        case .off, .shutdown: "poweredOff"
        }
    }

    private static func apiState(_ power: LabGuestPower) -> String {
        switch power {
        case .on: "poweredOn"
        case .off: "poweredOff"
        case .suspended: "suspended"
        }
    }

    private static func blanks(_ count: Int) -> String {
        String(repeating: " ", count: max(count, 0))
    }

    private static func pad(_ text: String, to width: Int) -> String {
        text + blanks(width - text.unicodeScalars.count)
    }
}

extension String {
    fileprivate func trimmingEnd() -> Substring {
        self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)]
    }
}
