import PowerModel

/// When a host counts as down: a silent network alone proves nothing.
extension Runner {
    /// Whether an earlier run of this outage took the host down, and none brought it back since.
    func wasSeenDown(_ name: HostName) async -> Bool {
        do {
            return try await around.ledger().hostsSeenDown.contains(name)
        } catch {
            await record(.noted("\(name): whether it was taken down before is not known: \(error)"))
            return false
        }
    }

    /// A silent host that was told to shut down. Its management controller is believed where it has
    /// one that tells; else the silence must have lasted long enough, and be the host's own.
    func down(_ name: HostName, silentSince: Duration) async -> Progress {
        var doubt: BMCError?
        do {
            switch try await around.isOff(name) {
            case true?: return .over(.done(.asked))
            case false?: return .notYet("it is silent, but its BMC says that it is on")
            case nil: break
            }
        } catch { doubt = error }
        let settled = silentSince + around.site.limits.settle
        if around.time.elapsed < settled {
            return .notBefore(settled, "it fell silent just now")
        }
        if let witness = around.site.witness {
            guard await around.answers(witness) else {
                return .notYet("it is silent, but so is the witness \(witness)")
            }
        }
        if let doubt { await record(.noted("\(name) is down as far as is heard: \(doubt)")) }
        return .over(.done(.asked))
    }

    /// A silent host that nobody told: only its management controller knows that it is off.
    func downUntold(_ name: HostName) async -> Progress {
        let untold = "it does not answer, and was not told to shut down"
        do {
            let isOff = try await around.isOff(name) == true
            return isOff ? .over(.done(.already)) : .notYet(untold)
        } catch { return .notYet("\(untold); \(error)") }
    }
}
