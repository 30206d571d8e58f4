/// What a simulated host's esxcli shows of the host (facts/esxi.md section 2).
extension LabESXiCommands {
    /// The page of a command that shows something; nil for every other command.
    func page(_ words: [String]) async -> LabEsxcliPage? {
        switch words.joined(separator: " ") {
        case "system version get":
            return LabEsxcliPage([
                "Product": .text("VMware ESXi"), "Version": .text(options.version),
                "Build": .text(options.build), "Update": .text("2"), "Patch": .text("0"),
            ])
        case "system hostname get":
            let first = String(host.prefix { $0 != "." })
            let domain = String(host.dropFirst(first.count + 1))
            return LabEsxcliPage([
                "Domain Name": .text(domain), "Fully Qualified Domain Name": .text(host),
                "Host Name": .text(first),
            ])
        case "system settings encryption get" where options.hasEncryptionSettings:
            return LabEsxcliPage([
                "Mode": .text(options.requiresSecureBoot ? "TPM" : "NONE"),
                "Require Executables Only From Installed VIBs": .truth(false),
                "Require Secure Boot": .truth(options.requiresSecureBoot),
            ])
        case "system settings advanced list -o /User/execInstalledOnly":
            return LabEsxcliPage([
                "Path": .text("/User/execInstalledOnly"), "Type": .text("integer"),
                "Int Value": .number(1), "Default Int Value": .number(1), "Min Value": .number(0),
                "Max Value": .number(1),
            ])
        case "storage filesystem list":
            return Self.fileSystems(await backend.datastores(on: host))
        case "storage nfs list": return Self.nfs(await backend.datastores(on: host))
        case "vm process list":
            return Self.processes(
                await backend.guests(on: host), on: await backend.datastores(on: host))
        case "vsan cluster get": return await vsanCluster()
        default: return nil
        }
    }

    /// A volume that is not mounted has no mount point.
    static func fileSystems(_ datastores: [LabHostDatastore]) -> LabEsxcliPage {
        LabEsxcliPage(
            .table, ["Mount Point", "Volume Name", "UUID", "Mounted", "Type", "Size", "Free"],
            datastores.map { volume in
                [
                    .text(volume.mounted ? "/vmfs/volumes/\(volume.uuid)" : ""),
                    .text(volume.name), .text(volume.uuid), .truth(volume.mounted),
                    .text(volume.type), .number(999_922_073_600), .number(591_568_830_464),
                ]
            })
    }

    static func nfs(_ datastores: [LabHostDatastore]) -> LabEsxcliPage {
        LabEsxcliPage(
            .table,
            [
                "Volume Name", "Host", "Share", "Accessible", "Mounted", "Read-Only", "isPE",
                "Hardware Acceleration",
            ],
            datastores.compactMap { volume in
                guard let share = volume.share else { return nil }
                return [
                    .text(volume.name), .text(share.server), .text(share.path),
                    .truth(volume.accessible), .truth(volume.mounted), .truth(false),
                    .truth(false), .text("Not Supported"),
                ]
            })
    }

    /// A process for each guest that runs, with its volume by UUID.
    static func processes(
        _ guests: [LabHostGuest], on datastores: [LabHostDatastore]
    ) -> LabEsxcliPage {
        let running = guests.filter { $0.power == .on || $0.processStays }
        return LabEsxcliPage(
            .blocks(title: 4),
            ["World ID", "Process ID", "VMX Cartel ID", "UUID", "Display Name", "Config File"],
            running.map { guest in
                let world = 35_000 + guest.vmid
                return [
                    .number(world), .number(0), .number(world - 1),
                    .text("56 4d e8 f4 21 aa ed 4b-b6 d0 1b af 43 24 ac b0"), .text(guest.name),
                    .text(file(guest.vmxPath, on: datastores)),
                ]
            })
    }

    private static func file(_ vmxPath: String, on datastores: [LabHostDatastore]) -> String {
        guard let end = vmxPath.firstRange(of: "] "), vmxPath.hasPrefix("[") else { return vmxPath }
        let name = vmxPath[vmxPath.index(after: vmxPath.startIndex)..<end.lowerBound]
        let uuid = datastores.first { $0.name == name }?.uuid ?? String(name)
        return "/vmfs/volumes/\(uuid)/\(vmxPath[end.upperBound...])"
    }
}
