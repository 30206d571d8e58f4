import Synchronization

/// What went over the wire to one upsd so far. Bytes are counted before encryption.
public struct UPSDTraffic: Hashable, Sendable {
    /// Requests sent.
    public var calls: UInt64 = 0
    /// Bytes of requests.
    public var bytesOut: UInt64 = 0
    /// Bytes of replies.
    public var bytesIn: UInt64 = 0
}

/// Counts for all connections of a feed.
final class UPSDTrafficCounter: Sendable {
    private let traffic = Mutex(UPSDTraffic())

    var now: UPSDTraffic { traffic.withLock { $0 } }

    func sent(bytes: Int) {
        traffic.withLock {
            $0.calls += 1
            $0.bytesOut += UInt64(bytes)
        }
    }

    func received(bytes: Int) { traffic.withLock { $0.bytesIn += UInt64(bytes) } }
}
