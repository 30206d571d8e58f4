import PowerModel

/// Hosts that would not take a guest over.
struct Adoption {
    var refusals: [HostName: String] = [:]
}

/// What became of an attempt to take a guest over from a host that does not come back.
enum Adopted {
    /// It is registered there, and off.
    case registered(HostName)
    /// It cannot be done yet: why.
    case notYet(String)
    /// It cannot be done: what the operator has to do.
    case refused(String)
}

/// A guest whose host never comes back: registered on another one, once its own is proven off.
extension Runner {
    /// Registers a guest on another host that is back, if policy allows it and nobody can be
    /// running it. Silence alone proves nothing: a host counts as off only when its management
    /// controller says so; or when it was told to stop and was seen down in this outage, was not
    /// seen since, and the witness behind the same switch answers.
    func adopt(
        _ guest: Guest, from lost: HostName, _ lists: HostLists, _ terms: StartTerms,
        _ adoption: inout Adoption, _ wait: Wait
    ) async -> Adopted {
        let advice =
            "see that \(lost) is off, then register \(guest.vmxPath.onOneLine) on another host "
            + "and start it"
        guard terms.mayAdopt else {
            return .refused(
                "its host \(lost) is not back, and policy does not move it: \(advice)")
        }
        if let why = await whyNotOff(lost) {
            return .refused("its host \(lost) is not back, and \(why): \(advice)")
        }
        // Any host that cannot be read might run it.
        for name in lists.unread.keys.sorted() where name != lost {
            if let why = await whyNotOff(name) {
                return .notYet("its host \(lost) is not back, and \(why): \(advice)")
            }
        }
        for (name, list) in lists.guests.sorted(by: { $0.key < $1.key }) {
            guard adoption.refusals[name] == nil, let host = around.hosts[name] else { continue }
            if list.contains(where: { $0.vmxPath == guest.vmxPath }) { continue }
            do {
                if try await host.inMaintenance() {
                    adoption.refusals[name] = "\(name) is in maintenance mode"
                    continue
                }
                if control.mustStop { return .refused("the run was told to stop") }
                await recordAsk(
                    wait.step.id,
                    "register \(guest.name.onOneLine) on \(name): its host \(lost) is off")
                try await host.register(guest.forHost)
                return .registered(name)
            } catch { adoption.refusals[name] = "\(error)" }
        }
        let why = adoption.refusals.sorted { $0.key < $1.key }.map(\.value)
            .joined(separator: "; ")
        return .refused(
            "its host \(lost) is not back, and no other takes it (\(why)): \(advice)")
    }

    /// Why a host that cannot be read is not proven off; nil when it is.
    private func whyNotOff(_ name: HostName) async -> String? {
        guard let host = around.hosts[name], await host.isSilent() else {
            return "\(name) answers, but not as it should"
        }
        do {
            switch try await around.isOff(name) {
            case true?: return nil
            case false?: return "the BMC of \(name) says that it is on"
            case nil: break
            }
        } catch { return "\(error)" }
        guard let witness = around.site.witness else {
            return "with neither `bmc` nor `witness` no silent host is proven off"
        }
        do {
            let ledger = try await around.ledger()
            guard ledger.hostsSeenDown.contains(name) else { return "\(name) was not seen down" }
        } catch { return "what was seen down cannot be read (\(error))" }
        guard await around.answers(witness) else { return "the witness \(witness) is silent too" }
        return nil
    }
}
