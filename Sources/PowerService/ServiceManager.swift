import Glibc
import ServiceLifecycle

/// What is told to systemd, if it started the daemon (sd_notify(3)).
public enum ServiceManager {
    /// Sends one state, e.g. `READY=1`. Does nothing where NOTIFY_SOCKET is not set, never waits,
    /// and returns whether it was taken.
    @discardableResult
    public static func tell(_ state: String, environment: [String: String]) -> Bool {
        guard let path = environment["NOTIFY_SOCKET"], let address = UnixAddress(path: path) else {
            return false
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(state.utf8)
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return address.with { sendto(descriptor, bytes, bytes.count, flags, $0, $1) } == bytes.count
    }
}

/// Says `READY=1` when the services before it have been started, and `STOPPING=1` when they stop.
struct ReadyService: Service {
    let environment: [String: String]

    func run() async throws {
        ServiceManager.tell("READY=1", environment: environment)
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            // The other way to be told to stop.
        }
        ServiceManager.tell("STOPPING=1", environment: environment)
    }
}
