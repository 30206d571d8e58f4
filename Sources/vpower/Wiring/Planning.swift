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

    /// What a shutdown of the cluster would do now, and whether it fits the battery. Reads the
    /// journal where there is one: an open outage's snapshot is the goal. Changes nothing.
    func report(on cluster: ClusterSite) async throws -> PlanReport {
        let journal = try await state.openToRead()
        let around = try surroundings(cluster, journal: journal, announcer: Silence())
        let operation = Operation(
            in: around, machines: machines(of: cluster),
            estimates: await estimates(for: cluster, from: journal), control: RunControl(),
            makeID: { makeID() })
        do {
            let prepared = try await operation.prepareShutdown()
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
