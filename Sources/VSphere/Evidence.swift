public import PowerModel
public import PowerRun

/// What a vCenter shows by which it can be told who is who (facts/vsphere.md 2.17).
public struct ClusterEvidence: Hashable, Sendable {
    /// Of the cluster's ordinary guests.
    public var guests: [GuestEvidence]
    /// What the vCenter's own options call it: names and addresses.
    public var vcenterNames: [String]
}

extension VCenterCluster {
    private static let guestPaths = [
        "config.uuid", "guest.hostName", "guest.ipAddress", "guest.net",
    ]
    /// Those of its options that name the vCenter.
    private static let nameOptions = [
        "VirtualCenter.FQDN", "VirtualCenter.InstanceName", "VirtualCenter.ManagedIP",
    ]

    /// Reads by what the guests of a snapshot, and this vCenter among them, can be told. Not a part
    /// of what is watched: it is needed with a snapshot only.
    public func evidence(
        of snapshot: ClusterSnapshot
    ) async throws(ClusterError) -> ClusterEvidence {
        try await attempt("read who is who") { () async throws(CallFailure) in
            var known: [Reference: Guest] = [:]
            for guest in snapshot.inventory.guests where guest.nature == .ordinary {
                guard let id = guest.reference else { continue }
                known[Reference(kind: "VirtualMachine", id: id)] = guest
            }
            let guests = known
            return try await self.vim.withSession { session throws(CallFailure) in
                let choice = PropertyChoice(kind: "VirtualMachine", paths: Self.guestPaths)
                let objects = try await self.vim.read(
                    [choice], of: guests.keys.sorted(), in: session, limits: self.limits)
                return ClusterEvidence(
                    guests: objects.compactMap { vm in
                        guests[vm.reference].map { Self.evidence($0, vm) }
                    },
                    vcenterNames: try await self.ownNames(in: session))
            }
        }
    }

    private func ownNames(in session: Session) async throws(CallFailure) -> [String] {
        let reply = try await vim.call(
            .queryOptions, on: session.content.setting, in: session, within: limits.call
        ) { $0.add("name", "VirtualCenter.") }
        return reply.all("returnval").compactMap { option in
            guard Self.nameOptions.contains(option["key"]?.text ?? "") else { return nil }
            let name = option["value"]?.text ?? ""
            return name.isEmpty ? nil : name
        }
    }

    static func evidence(_ guest: Guest, _ vm: ObjectProperties) -> GuestEvidence {
        let cards = vm["guest.net"]?.all("GuestNicInfo") ?? []
        let addresses = cards.flatMap { card in
            card.all("ipAddress").map(\.text) + card.all("macAddress").map(\.text)
        }
        let first = vm["guest.ipAddress"].map { [$0.text] } ?? []
        return GuestEvidence(
            id: guest.id, name: guest.name, biosUUID: vm["config.uuid"]?.text,
            hostName: vm["guest.hostName"]?.text,
            addresses: (addresses + first).filter { !$0.isEmpty })
    }
}
