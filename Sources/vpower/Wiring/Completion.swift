import PowerModel
import PowerRun
import Transport
import VSphere

/// What a snapshot holds beside vCenter's reading: addresses of names, and who is who.
extension SiteContext {
    /// How long DNS may take for all names of a cluster together: an outage does not wait for it.
    private static let lookUpLimit: Duration = .seconds(3)

    /// The names behind which a run finds its vCenter, hosts, their BMCs, machines and witness.
    private func names(of cluster: ClusterSite) -> [String] {
        [cluster.vcenter.endpoint.host] + cluster.hosts.map(\.ssh.host)
            + cluster.hosts.compactMap(\.bmc?.endpoint.host)
            + machines(of: cluster).map(\.ssh.host) + (cluster.witness.map { [$0.host] } ?? [])
    }

    /// Looks the names of a cluster up; those that do not resolve. What is known of them stays.
    func lookUpNames(of cluster: ClusterSite) async -> [String] {
        await addresses.lookUp(names(of: cluster), within: Self.lookUpLimit)
    }

    /// Takes over the addresses of an open outage's snapshot: DNS may be off since.
    func recallAddresses(of cluster: ClusterSite, from journal: any Journal) async {
        do {
            let ledger = Ledger(try await journal.openOutage(of: cluster.name))
            addresses.recall(ledger.snapshot?.addresses ?? [:])
        } catch {
            // A run reads the journal itself, and says what is wrong with it.
        }
    }

    /// A snapshot with the addresses that names have now, or had, and with who is who.
    func complete(
        _ snapshot: ClusterSnapshot, of cluster: ClusterSite, through vcenter: VCenterCluster
    ) async -> ClusterSnapshot {
        var snapshot = snapshot
        _ = await lookUpNames(of: cluster)
        snapshot.addresses = addresses.known(of: names(of: cluster))
        snapshot.inventory.found = await find(in: snapshot, of: cluster, through: vcenter)
        return snapshot
    }

    /// Finds what the site file does not name. No call is made where it names all.
    private func find(
        in snapshot: ClusterSnapshot, of cluster: ClusterSite, through vcenter: VCenterCluster
    ) async -> FoundGuests {
        let machine = ThisMachine.evidence()
        let seeksController = cluster.seeksController && machine.isVMwareGuest
        guard cluster.findsVCSA || seeksController else { return FoundGuests() }
        let evidence: ClusterEvidence
        do { evidence = try await vcenter.evidence(of: snapshot) } catch {
            return FoundGuests(vcsa: .unclear("\(error)"))
        }
        let names = [cluster.vcenter.endpoint.host] + evidence.vcenterNames
        let known =
            names.filter { $0.contains(":") || $0.allSatisfy { $0 == "." || $0.isNumber } }
            + addresses[cluster.vcenter.endpoint.host]
        return FoundGuests(
            vcsa: WhoIsWho.vcsa(
                VCenterEvidence(names: names, addresses: known), among: evidence.guests),
            controller: seeksController
                ? WhoIsWho.controller(machine, among: evidence.guests) : nil)
    }
}

extension ClusterSite {
    /// Whether the site file leaves open if vpower runs in one of its guests.
    var seeksController: Bool { controllerGuest == nil && !controllerElsewhere }
}
