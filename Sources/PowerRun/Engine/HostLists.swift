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
        await withTaskGroup(of: (HostName, Result<[HostGuest], HostError>).self) { group in
            var waiting = hosts.sorted { $0.key < $1.key }[...]
            func readNext() {
                guard let (name, host) = waiting.popFirst() else { return }
                group.addTask {
                    do throws(HostError) {
                        return (name, .success(try await host.guests()))
                    } catch {
                        return (name, .failure(error))
                    }
                }
            }
            for _ in 0..<pace.hostsAtOnce { readNext() }
            var lists = HostLists()
            while let (name, result) = await group.next() {
                switch result {
                case .success(let guests): lists.guests[name] = guests
                case .failure(let error): lists.unread[name] = error
                }
                readNext()
            }
            return lists
        }
    }
}
