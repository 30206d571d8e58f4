import Dispatch
import Synchronization

/// The addresses that names had when somebody could say so. DNS may be a guest that is off.
///
/// Whoever connects tries these first, and asks DNS where none of them answers.
public final class AddressBook: Sendable {
    private let entries: Mutex<[String: [String]]>

    /// A book of these; empty by default.
    public init(_ known: [String: [String]] = [:]) { entries = Mutex(known) }

    /// The known addresses of a name, as text; none where nobody knows them.
    public subscript(name: String) -> [String] { entries.withLock { $0[name] ?? [] } }

    /// Those of these names that are known.
    public func known(of names: [String]) -> [String: [String]] {
        entries.withLock { entries in
            names.reduce(into: [:]) { known, name in known[name] = entries[name] }
        }
    }

    /// Takes in what names have now; of the others, what was known stays.
    public func learn(_ addresses: [String: [String]]) {
        entries.withLock { entries in
            for (name, list) in addresses where !list.isEmpty { entries[name] = list }
        }
    }

    /// Takes in what names had earlier, where nothing is known of them.
    public func recall(_ addresses: [String: [String]]) {
        entries.withLock { $0.merge(addresses) { now, _ in now } }
    }

    /// So many names are asked for at the same time: each takes a thread.
    private static let atOnce = 16

    /// Asks DNS for these names, some at the same time, all of them together no longer than the
    /// limit; learns what it says, and gives the names that it does not resolve. What is an address
    /// already is not asked for.
    public func lookUp(_ names: [String], within limit: Duration) async -> [String] {
        let asked = Set(names).filter { !SSHDial.isAddress($0) }.sorted()
        let end = ContinuousClock.now + limit
        let answers = await withTaskGroup(of: (String, [String]).self) { group in
            var answers: [String: [String]] = [:]
            for (count, name) in asked.enumerated() {
                if count >= Self.atOnce, let one = await group.next() { answers[one.0] = one.1 }
                let left = end - .now
                if left <= .zero { break }
                group.addTask { (name, await Self.lookUp(name, within: left)) }
            }
            return await group.reduce(into: answers) { $0[$1.0] = $1.1 }
        }
        learn(answers)
        return asked.filter { answers[$0]?.isEmpty != false }
    }

    /// Asks DNS for a name again; whether it has addresses that were not known, which are learnt.
    func renew(_ name: String, within limit: Duration) async -> Bool {
        let now = await Self.lookUp(name, within: limit)
        let isNews = !Set(now).subtracting(self[name]).isEmpty
        if isNews { learn([name: now]) }
        return isNews
    }

    private static func lookUp(_ name: String, within limit: Duration) async -> [String] {
        await withCheckedContinuation { continuation in
            // A queue of its own: the resolver blocks (see SSHThread).
            DispatchQueue(label: "vpower.resolve").async {
                let deadline = SSHDeadline(
                    peer: name, attempting: "resolve", limit: limit, cancelled: { false })
                do throws(SSHError) {
                    let found = try SSHDial.addresses(host: name, port: 0, until: deadline)
                    var texts: [String] = []
                    for text in found.map(\.text) where !texts.contains(text) {
                        texts.append(text)
                    }
                    continuation.resume(returning: texts)
                } catch { continuation.resume(returning: []) }
            }
        }
    }
}
