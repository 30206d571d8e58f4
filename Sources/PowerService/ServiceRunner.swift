public import Logging
public import ServiceLifecycle
import UnixSignals

/// Runs the daemon's services together until SIGTERM or SIGINT. The first signal lets a run finish
/// and record its present step; the second is told, so that nothing is waited for any more.
public struct ServiceRunner: Sendable {
    /// How long a graceful stop may take before the services are cancelled: a run that has begun
    /// goes on until then. Five minutes under `TimeoutStopSec=` of
    /// `Templates/systemd/vpower.service`, so that systemd never kills in the middle of a run.
    public static let stopLimitDefault: Duration = .seconds(55 * 60)

    private let services: [any Service]
    private let environment: [String: String]
    private let stopLimit: Duration
    private let onSecondSignal: @Sendable () async -> Void
    private let logger: Logger

    /// Runs these services. They are started in this order and stopped in reverse: a run's
    /// service comes last, so that the watch goes on until the run has ended.
    ///
    /// - Parameter environment: the process's, for NOTIFY_SOCKET.
    public init(
        services: [any Service], environment: [String: String],
        stopLimit: Duration = ServiceRunner.stopLimitDefault,
        onSecondSignal: @escaping @Sendable () async -> Void = {}, logger: Logger
    ) {
        self.services = services
        self.environment = environment
        self.stopLimit = stopLimit
        self.onSecondSignal = onSecondSignal
        self.logger = logger
    }

    /// Returns after a graceful stop.
    ///
    /// - Throws: what a service threw; a service that ends by itself stops all of them.
    public func run() async throws {
        let group = ServiceGroup(configuration: configuration)
        // Heard beside the group, which looks at the first signal only.
        async let _: Void = heedSecondSignal()
        try await group.run()
    }

    private func heedSecondSignal() async {
        var count = 0
        for await signal in await UnixSignalsSequence(trapping: Self.signals) {
            count += 1
            if count == 1 {
                logger.warning("\(signal): stopping after the present step; again to stop at once")
            } else {
                logger.warning("\(signal): nothing is waited for any more")
                await onSecondSignal()
            }
        }
    }

    private static let signals: [UnixSignal] = [.sigterm, .sigint]

    private var configuration: ServiceGroupConfiguration {
        var configuration = ServiceGroupConfiguration(
            services: services + [ReadyService(environment: environment)],
            gracefulShutdownSignals: Self.signals, logger: logger)
        configuration.maximumGracefulShutdownDuration = stopLimit
        return configuration
    }
}
