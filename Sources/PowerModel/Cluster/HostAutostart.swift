/// What a host starts and stops by itself when it boots or shuts down, as its own settings have
/// it. The words are the host's: they are kept to be written back, not to be understood.
public struct HostAutostart: Hashable, Codable, Sendable {
    /// What holds for guests that say nothing else. What is nil is not set.
    public struct Defaults: Hashable, Codable, Sendable {
        /// Whether the host starts and stops any guest at all.
        public var enabled: Bool?
        /// Seconds between two guests that are started.
        public var startDelaySeconds: Int?
        /// Seconds between two guests that are stopped.
        public var stopDelaySeconds: Int?
        /// Whether the next guest starts as soon as Tools answer.
        public var waitForHeartbeat: Bool?
        /// What is done to guests when the host shuts down, e.g. `powerOff`.
        public var stopAction: String?

        /// Defaults.
        public init(
            enabled: Bool? = nil, startDelaySeconds: Int? = nil, stopDelaySeconds: Int? = nil,
            waitForHeartbeat: Bool? = nil, stopAction: String? = nil
        ) {
            self.enabled = enabled
            self.startDelaySeconds = startDelaySeconds
            self.stopDelaySeconds = stopDelaySeconds
            self.waitForHeartbeat = waitForHeartbeat
            self.stopAction = stopAction
        }
    }

    /// One guest's settings.
    public struct Entry: Hashable, Codable, Sendable {
        /// Its configuration file: ids change when a guest is registered anew.
        public var vmxPath: String
        /// Its place in the order, from 1; -1 is none.
        public var startOrder: Int
        /// Seconds until the next guest is started; -1 is the default.
        public var startDelaySeconds: Int
        /// `yes`, `no` or `systemDefault`.
        public var waitForHeartbeat: String
        /// What is done at boot, e.g. `powerOn` or `none`.
        public var startAction: String
        /// Seconds until the next guest is stopped; -1 is the default.
        public var stopDelaySeconds: Int
        /// What is done when the host shuts down, e.g. `systemDefault`.
        public var stopAction: String

        /// A guest's settings.
        public init(
            vmxPath: String, startOrder: Int, startDelaySeconds: Int, waitForHeartbeat: String,
            startAction: String, stopDelaySeconds: Int, stopAction: String
        ) {
            self.vmxPath = vmxPath
            self.startOrder = startOrder
            self.startDelaySeconds = startDelaySeconds
            self.waitForHeartbeat = waitForHeartbeat
            self.startAction = startAction
            self.stopDelaySeconds = stopDelaySeconds
            self.stopAction = stopAction
        }

        /// What a guest has of which nothing was ever said.
        public static func none(_ vmxPath: String) -> Entry {
            Entry(
                vmxPath: vmxPath, startOrder: -1, startDelaySeconds: -1,
                waitForHeartbeat: "systemDefault", startAction: "none", stopDelaySeconds: -1,
                stopAction: "systemDefault")
        }

        /// Whether the host neither starts the guest nor has a place for it in its order.
        public var isNone: Bool { startOrder < 0 && startAction.lowercased() == "none" }
    }

    /// What holds for all.
    public var defaults: Defaults
    /// Guests of which something is said, by configuration file.
    public var guests: [Entry]

    /// Settings.
    public init(defaults: Defaults, guests: [Entry]) {
        self.defaults = defaults
        self.guests = guests.filter { !$0.isNone }.sorted { $0.vmxPath < $1.vmxPath }
    }
}
