import PowerModel

/// What of a guest stands in the way of stopping it, or of starting it again.
enum GuestTraitReading {
    /// `VirtualMachineQuestionInfo`. One that says too little is a question all the same.
    static func question(_ info: Element) -> GuestQuestion {
        GuestQuestion(
            id: info["id"]?.text ?? "", text: info["text"]?.text ?? "",
            messages: info.all("message").compactMap { $0["id"]?.text },
            choices: (info["choice"]?.all("choiceInfo") ?? []).compactMap { choice in
                guard let key = choice["key"]?.text else { return nil }
                let label = choice["label"]?.text ?? ""
                return GuestQuestion.Choice(key: key, label: label.isEmpty ? key : label)
            })
    }

    /// That a VM is encrypted: by its key, its virtual TPM, which is never without, or since its
    /// host lacks the key (facts/vsphere.md 4.4). What kind of provider has it is asked apart.
    static func encryption(of vm: ObjectProperties) -> GuestEncryption? {
        let key = vm["config.keyId"]
        let hasTPM = vm["summary.config.tpmPresent"]?.bool ?? false
        let isLocked = vm["runtime.cryptoState"]?.text == "locked"
        guard key != nil || hasTPM || isLocked else { return nil }
        return GuestEncryption(
            keyProvider: key?.at("providerId", "id")?.text, hasTPM: hasTPM, isLocked: isLocked)
    }

    /// The methods that stop a guest and that are disabled on one that is on, with its Tools: then
    /// a solution has disabled them. Of one that is off they are disabled since it is off.
    static func disabledMethods(of vm: ObjectProperties) -> [String]? {
        guard vm["runtime.powerState"]?.text == "poweredOn",
            Classification.tools(of: vm) == .running,
            let disabled = vm["disabledMethod"]?.all("string").map(\.text)
        else { return nil }
        let found = [VimMethod.shutdownGuest.rawValue, VimMethod.powerOffVM.rawValue].filter(
            disabled.contains)
        return found.isEmpty ? nil : found
    }
}

/// Which of a vCenter's key providers are its own.
extension VCenterCluster {
    /// Says of each encrypted guest what kind of provider has its key. Where vCenter does not say
    /// (it takes Cryptographer.ReadKeyServersInfo), the kind is unknown.
    func readProviders(of inventory: inout Inventory, in session: Session) async {
        let names = Set(inventory.guests.compactMap(\.encryption?.keyProvider))
        guard !names.isEmpty, let manager = session.content.cryptoManager else { return }
        var kinds: [String: GuestEncryption.Provider] = [:]
        do throws(CallFailure) {
            let choice = PropertyChoice(kind: manager.kind, paths: [Self.providersPath])
            let read = try await vim.read([choice], of: [manager], in: session, limits: limits)
            let providers = read.first?[Self.providersPath]?.all("KmipClusterInfo") ?? []
            for provider in providers {
                guard let name = provider.at("clusterId", "id")?.text else { continue }
                kinds[name] =
                    switch provider["managementType"]?.text {
                    case "nativeProvider": .native
                    case "vCenter", "trustAuthority": .external
                    default: .unknown
                    }
            }
        } catch {
            // Unknown stays unknown, and `check` says so.
            return
        }
        for guest in inventory.guests {
            guard var encryption = guest.encryption, let name = encryption.keyProvider,
                let kind = kinds[name]
            else { continue }
            encryption.provider = kind
            inventory.updateGuest(guest.id) { $0.encryption = encryption }
        }
    }

    private static let providersPath = "kmipServers"
}
