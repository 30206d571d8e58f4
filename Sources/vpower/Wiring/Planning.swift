import PowerModel
import PowerRun

extension SiteContext {
    /// What past runs tell, for a command that has no journal open; never fails.
    func estimates(for cluster: ClusterSite) async -> Estimates {
        do { return await estimates(for: cluster, from: try await state.openToRead()) } catch {
            Terminal.error("vpower: \(error); nothing is estimated from past runs")
            return Estimates()
        }
    }

    /// Plans one cluster's part of a shutdown of these by hand: what others of them need of it
    /// stays until they are down. With what else an operator should know.
    func prepareShutdown(
        _ operation: Operation, of cluster: ClusterSite, among clusters: [ClusterSite]
    ) async throws -> Operation.Prepared {
        let names = Set(clusters.map(\.name))
        let dependents = site.dependents(of: cluster.name, among: names)
        var prepared = try await operation.prepareShutdown(.cluster(dependents: dependents))
        let others = Set(site.clusters.map(\.name)).subtracting(names)
        for other in site.dependents(of: cluster.name, among: others) {
            prepared.warnings.append(
                "cluster \(other) needs it and is not shut down with it: --cluster \(other)")
        }
        prepared.warnings += holdLines([cluster])
        return prepared
    }

    /// What a shutdown of the cluster would do now, and whether it fits the battery. Reads the
    /// journal where there is one: an open outage's snapshot is the goal. Changes nothing.
    func report(
        on cluster: ClusterSite, among clusters: [ClusterSite] = []
    ) async throws -> PlanReport {
        let journal = try await state.openToRead()
        let around = try await surroundings(cluster, journal: journal, announcer: Silence())
        let operation = Operation(
            in: around, machines: machines(of: cluster),
            estimates: await estimates(for: cluster, from: journal), control: RunControl(),
            makeID: { makeID() })
        do {
            let prepared = try await prepareShutdown(
                operation, of: cluster, among: clusters.isEmpty ? [cluster] : clusters)
            await around.cluster.close()
            return PlanReport(prepared, battery: await lookAtBattery(of: cluster))
        } catch {
            await around.cluster.close()
            throw error
        }
    }
}

/// Tells nobody.
struct Silence: Announcer {
    func announce(_ record: Record) async {}
}
