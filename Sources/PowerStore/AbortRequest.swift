public import PowerModel
public import PowerRun

/// A person's wish that a run be reversed now: left in the state directory for whichever process
/// carries it out.
public struct AbortRequest: Hashable, Codable, Sendable {
    /// The run; a request for another one is history.
    public var run: RunID
    /// When it was made, by the wall clock.
    public var at: Timestamp
    /// Why, in the words of whoever made it.
    public var reason: String

    /// A request.
    public init(run: RunID, at: Timestamp, reason: String) {
        self.run = run
        self.at = at
        self.reason = reason
    }
}

/// The abort of one cluster's run, in the state directory: a request until the run takes it up,
/// then a mark that stays until the mains were back, so that the daemon leaves the outage alone
/// even when it is restarted.
public struct AbortBook: Sendable {
    /// How often a run looks for a request.
    public static let look: Duration = .milliseconds(500)

    private let requestPath: String
    private let markPath: String

    /// The aborts of a cluster in this state directory.
    public init(directory: String, cluster: ClusterName) {
        requestPath = "\(directory)/\(StateFile.name(for: cluster, "abort"))"
        markPath = "\(directory)/\(StateFile.name(for: cluster, "aborted"))"
    }

    /// The request that waits, if one does.
    public func request() throws(JournalError) -> AbortRequest? {
        try StateFile.read(requestPath)
    }

    /// Leaves a request, in place of one that is there.
    public func ask(_ request: AbortRequest) throws(JournalError) {
        try StateFile.write(request, to: requestPath)
    }

    /// Takes the request away: it was taken up, or is not wanted any more.
    public func withdraw() throws(JournalError) { try StateFile.remove(requestPath) }

    /// How long a mark counts, should nobody have seen the mains come back: an abort of last month
    /// must not leave the next outage to itself.
    public static let markedFor: Duration = .seconds(24 * 3600)

    /// The abort that the daemon heeds, if there is one.
    public func mark(at wall: Timestamp) throws(JournalError) -> AbortRequest? {
        guard let mark: AbortRequest = try StateFile.read(markPath) else { return nil }
        return wall >= mark.at && wall - mark.at < Self.markedFor ? mark : nil
    }

    /// Says that the run was aborted.
    public func setMark(_ request: AbortRequest) throws(JournalError) {
        try StateFile.write(request, to: markPath)
    }

    /// Says that the daemon may act again; success also when there was no mark.
    public func clearMark() throws(JournalError) { try StateFile.remove(markPath) }
}
