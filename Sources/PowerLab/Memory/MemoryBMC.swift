public import PowerModel
public import PowerRun

/// A simulated host's management controller.
public final class MemoryBMC: BMCControl {
    /// The host.
    public let host: HostName
    private let place: HostPlace
    private let world: LabWorld
    private let life: LabLife?

    /// One for each host of a world that has one.
    static func all(
        in world: LabWorld, life: LabLife?
    ) -> [HostName: any BMCControl] {
        var all: [HostName: any BMCControl] = [:]
        for host in world.scenario.hosts where host.hasBMC {
            guard let place = world.place(of: host.name) else { continue }
            all[host.name] = MemoryBMC(host.name, at: place, in: world, life: life)
        }
        return all
    }

    private init(_ host: HostName, at place: HostPlace, in world: LabWorld, life: LabLife?) {
        self.host = host
        self.place = place
        self.world = world
        self.life = life
    }

    /// Whether the host has no power, or is shut down.
    public func isOff() async throws(BMCError) -> Bool {
        guard life?.isAlive != false,
            let isOff = world.turn({ [place] in $0.isOffByBMC(place) })
        else { throw BMCError(host: host, reason: .unreachable, detail: "nobody answers") }
        return isOff
    }
}
