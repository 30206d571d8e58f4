import PowerModel

/// Other sites than the drill's.
extension LabScenario {
    /// The drill's site with the times of a real one: guests take 20 to 90 s to stop, vCSA 180 s, a
    /// host 120 s.
    public static var realistic: LabScenario {
        var pace = LabPace()
        pace.guestStops = .seconds(60)
        pace.toolsUp = .seconds(30)
        pace.hostStops = .seconds(120)
        pace.hostBoots = .seconds(180)
        pace.hostdUp = .seconds(60)
        pace.vcenterUp = .seconds(420)
        pace.haFollows = .seconds(20)
        pace.vclsFollows = .seconds(40)
        pace.outputCuts = .seconds(20)
        pace.outputStaysOff = .seconds(15)
        pace.battery = .seconds(3600)
        var scenario = LabScenario.standard(pace: pace)
        let stops: [Int64] = [20, 45, 90, 35, 60, 30, 80, 50, 90, 75, 25]
        for index in scenario.guests.indices {
            if index < stops.count { scenario.guests[index].stopsIn = .seconds(stops[index]) }
            if scenario.guests[index].isVCSA { scenario.guests[index].stopsIn = .seconds(180) }
            // Nobody is forced off: what a guest does is what it takes.
            scenario.guests[index].ignoresShutdown = false
            scenario.guests[index].hasTools = true
        }
        for index in scenario.tiers.indices {
            scenario.tiers[index].limit = TierSite.limitDefault
        }
        scenario.limits = ClusterLimits()
        scenario.limits.afterVCSA = .seconds(60)
        return scenario
    }

    /// A site of this size, in three tiers; its times are the drill's, with a spread.
    public static func large(hosts hostCount: Int, guests guestCount: Int) -> LabScenario {
        var scenario = LabScenario.standard()
        scenario.pace.vcenterTells = .milliseconds(500)
        scenario.hosts = (1...hostCount).map { number in
            LabHostSpec(name: HostName("esx\(number).lab"), reference: "host-\(number)")
        }
        let hosts = scenario.hosts
        let prefixes = ["app", "mid", "db"]
        scenario.guests = (0..<guestCount).map { number in
            let hex = String(number, radix: 16)
            let id = "50000000-0000-4000-8000-" + String(repeating: "0", count: 12 - hex.count)
            var guest = LabGuestSpec(
                id: GuestID(id + hex),
                name: number == 0 ? "vcsa01" : "\(prefixes[number % 3])-\(number)",
                reference: "vm-\(number)", vmxPath: "[ds] g\(number)/g\(number).vmx",
                host: hosts[number % hostCount].name, nature: .ordinary)
            guest.isVCSA = number == 0
            guest.stopsIn = .milliseconds(Int64(1000 + number % 60 * 50))
            return guest
        }
        return scenario
    }
}
