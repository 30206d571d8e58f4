/// A moment of this machine's uptime, from the kernel.
public struct BootMoment: Hashable, Sendable {
    /// The kernel's name for this boot (`/proc/sys/kernel/random/boot_id`).
    public var boot: String
    /// CLOCK_BOOTTIME: time since the boot, suspension included.
    public var up: Duration

    /// A moment.
    public init(boot: String, up: Duration) {
        self.boot = boot
        self.up = up
    }
}

/// What came in from `vpower-notify`, over the socket or by way of the spool.
public enum EventNotice: Hashable, Sendable {
    /// An event of now: a reason to look at the UPSes at once.
    case live(UPSEvent)
    /// An event that says nothing of now: only written to the log.
    case history(UPSEvent, Age)
    /// Bytes that are no event.
    case unreadable(UPSEventError)

    /// Why an event is history.
    public enum Age: Hashable, Sendable {
        /// It was sent before this boot, or by a kernel that did not say which.
        case earlierBoot
        /// It is this old.
        case old(Duration)
        /// It claims to be sent later than now.
        case ahead
    }

    /// How old an event may be and still be of now (DESIGN 5.8).
    public static let liveFor: Duration = .seconds(60)

    /// What this event is at this moment.
    public init(_ event: UPSEvent, at moment: BootMoment) {
        let age = moment.up - event.up
        if event.boot.isEmpty || event.boot != moment.boot {
            self = .history(event, .earlierBoot)
        } else if age < .zero {
            self = .history(event, .ahead)
        } else if age > Self.liveFor {
            self = .history(event, .old(age))
        } else {
            self = .live(event)
        }
    }

    /// What these bytes are at this moment.
    public init(decoding bytes: [UInt8], at moment: BootMoment) {
        do throws(UPSEventError) {
            self.init(try UPSEvent(decoding: bytes), at: moment)
        } catch {
            self = .unreadable(error)
        }
    }
}

/// Where notices wait for the watch loop. One consumer.
public struct EventInbox: Sendable {
    /// The notices, in the order they came in.
    public let notices: AsyncStream<EventNotice>
    private let continuation: AsyncStream<EventNotice>.Continuation

    /// How many notices wait; the oldest go first. Nothing is decided from them, so losing some
    /// loses lines in the log and nothing else.
    public static let limit = 1024

    /// An empty inbox.
    public init() {
        (notices, continuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(Self.limit))
    }

    /// Puts a notice in. Never waits.
    public func put(_ notice: EventNotice) { continuation.yield(notice) }
}
