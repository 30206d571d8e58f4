import Glibc
public import PowerModel
public import PowerRun

/// This machine's clocks.
public struct SystemTime: TimeSource {
    /// This machine's clocks.
    public init() {}

    /// CLOCK_BOOTTIME: it does not stop while the machine is suspended, and nobody sets it.
    public var elapsed: Duration { Self.read(CLOCK_BOOTTIME) }

    /// CLOCK_REALTIME, in whole milliseconds.
    public var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Self.read(CLOCK_REALTIME).milliseconds)
    }

    /// Waits; ends early, with an error, when the task is cancelled.
    public func sleep(for duration: Duration) async throws(CancellationError) {
        do {
            try await ContinuousClock().sleep(for: duration)
        } catch {
            // The clock throws nothing else.
            throw CancellationError()
        }
    }

    /// This boot's name and the time since. The name is empty where /proc does not give it: then
    /// every event is history, and the loop's own readings decide alone.
    public static func bootMoment() -> BootMoment {
        BootMoment(boot: bootName, up: read(CLOCK_BOOTTIME))
    }

    /// Read once: it does not change while a process lives.
    private static let bootName: String = {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(file, &buffer, buffer.count)
        let line = buffer.prefix(max(count, 0)).prefix { $0 != 0x0A }
        return String(decoding: line, as: UTF8.self)
    }()

    private static func read(_ clock: clockid_t) -> Duration {
        var now = timespec()
        clock_gettime(clock, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }
}
