import PowerModel

/// What the hosts themselves list, read from many of them at once. What no host lists is unknown,
/// never off.
struct HostLists: Sendable {
    /// The guests of each host that could be read.
    var guests: [HostName: [HostGuest]] = [:]
    /// Why the others could not be read.
    var unread: [HostName: HostError] = [:]

    /// Where each guest is and what it does, by configuration file. A guest that moved may be left
    /// in the list of its former host as off: where it is on is where it is.
    var places: [String: (host: HostName, power: GuestPower)] {
        var places: [String: (host: HostName, power: GuestPower)] = [:]
        for (host, list) in guests.sorted(by: { $0.key < $1.key }) {
            for guest in list where places[guest.vmxPath]?.power != .on {
                if places[guest.vmxPath] == nil || guest.power == .on {
                    places[guest.vmxPath] = (host, guest.power)
                }
            }
        }
        return places
    }
}

extension Surroundings {
    /// Reads the lists of all hosts, some of them at the same time.
    func listGuests() async -> HostLists {
        var lists = HostLists()
        let answers = await askHosts { host -> Result<[HostGuest], HostError> in
            do throws(HostError) { return .success(try await host.guests()) } catch {
                return .failure(error)
            }
        }
        for (name, answer) in answers {
            switch answer {
            case .success(let guests): lists.guests[name] = guests
            case .failure(let error): lists.unread[name] = error
            }
        }
        return lists
    }

    /// Asks every host the same, some of them at the same time.
    func askHosts<Answer: Sendable>(
        _ question: @escaping @Sendable (any HostControl) async -> Answer
    ) async -> [HostName: Answer] {
        await ask(hosts, question)
    }

    /// Asks something of several hosts the same, some of them at the same time.
    func ask<Part: Sendable, Answer: Sendable>(
        _ parts: [HostName: Part], _ question: @escaping @Sendable (Part) async -> Answer
    ) async -> [HostName: Answer] {
        let gate = CallGate(pace.hostsAtOnce)
        return await withTaskGroup(of: (HostName, Answer).self) { group in
            for (name, part) in parts.sorted(by: { $0.key < $1.key }) {
                group.addTask { (name, await gate.pass { await question(part) }) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
