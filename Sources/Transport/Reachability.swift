import Dispatch
import Glibc
import Synchronization

/// Whether anybody listens somewhere, without saying a word.
public enum Reachability {
    /// Whether a TCP connection to this port can be made within the limit. A refusal, silence, a
    /// name that does not resolve and a cancelled task all give `false`.
    /// - Parameter addresses: what the name is known to resolve to; tried first.
    public static func answers(
        host: String, port: Int, within limit: Duration, addresses: AddressBook? = nil
    ) async -> Bool {
        let known = addresses?[host] ?? []
        let cancelled = Flag()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A queue of its own: connecting blocks (see SSHThread).
                DispatchQueue(label: "vpower.reach").async {
                    continuation.resume(
                        returning: connects(
                            host: host, port: port, known: known, limit: limit, cancelled))
                }
            }
        } onCancel: {
            cancelled.isUp.store(true, ordering: .relaxed)
        }
    }

    private final class Flag: Sendable { let isUp = Atomic(false) }

    private static func connects(
        host: String, port: Int, known: [String], limit: Duration, _ cancelled: Flag
    ) -> Bool {
        let deadline = SSHDeadline(
            peer: SSHTarget.peer(host: host, port: port), attempting: "connect", limit: limit,
            cancelled: { cancelled.isUp.load(ordering: .relaxed) })
        do throws(SSHError) {
            close(try SSHDial.connect(host: host, port: port, known: known, until: deadline))
            return true
        } catch {
            return false
        }
    }
}
