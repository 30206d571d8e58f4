public import PowerModel

/// A journal that never stops a run: when its first one fails, it goes on in memory and says so.
///
/// An outage does not wait for a disk (DESIGN 3). After the first failed write everything stays in
/// memory: a hole in the records on disk would mislead a resume more than their end does.
public actor FallbackJournal: Journal {
    private let primary: (any Journal)?
    private let wall: @Sendable () -> Timestamp
    private let report: @Sendable (JournalError) -> Void
    /// Why the first journal is no longer used; nil while it is.
    public private(set) var failure: JournalError?
    /// Open outages as they went through here, so that memory has them whole.
    private var seen: [Record] = []
    private var saidReadFailure = false
    /// Where numbers begin when not even the journal's last one can be read: above any it has.
    private static let firstUnknownNumber: Int64 = 1 << 40
    private var firstNumber: Int64 = 1

    /// Wraps a journal. `report` is called once, when it can no longer be written to, and once at
    /// the first time it cannot be read. `wall` stamps what is recorded in memory only.
    public init(
        primary: any Journal, wall: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (JournalError) -> Void
    ) {
        self.primary = primary
        self.wall = wall
        self.report = report
    }

    /// Stands in for a journal that could not even be opened; `report` is called at once.
    public init(
        failure: JournalError, wall: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (JournalError) -> Void
    ) {
        primary = nil
        self.wall = wall
        self.report = report
        self.failure = failure
        report(failure)
    }

    /// Writes one event to the journal, or to memory once that has failed. Never throws.
    public func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> Record {
        if let primary, failure == nil {
            do {
                let record = try await primary.append(event, run: run, outage: outage)
                keep([record])
                return record
            } catch {
                await fail(error)
            }
        }
        let record = Record(
            number: max((seen.last?.number ?? 0) + 1, firstNumber), at: wall(), run: run,
            outage: outage,
            event: event)
        keep([record])
        return record
    }

    /// The open outages of this cluster: from the journal as far as it can be read, and what only
    /// memory has.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        if let primary {
            let before = Set(seen.ofOpenOutages(of: cluster).map(\.number))
            do {
                let records = try await primary.openOutage(of: cluster)
                // While the journal works it alone is right: another process may have closed an
                // outage that went through here.
                if failure == nil { seen.removeAll { before.contains($0.number) } }
                keep(records)
                if failure == nil { return records }
            } catch {
                sayUnreadable(error)
            }
        }
        return seen.ofOpenOutages(of: cluster)
    }

    /// The newest records, oldest first, at most `limit`.
    public func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        var records = seen
        if let primary {
            do {
                records = try await merged(primary.newest(limit), with: seen)
            } catch {
                sayUnreadable(error)
            }
        }
        return Array(records.suffix(max(0, limit)))
    }

    private func fail(_ error: JournalError) async {
        // Two writes can fail at once; the second finds it said.
        guard failure == nil else { return }
        failure = error
        report(error)
        // A disk that cannot be read either is the same news.
        saidReadFailure = true
        guard let primary else { return }
        firstNumber = Self.firstUnknownNumber
        do {
            // Numbers go on from what is on disk, so that the two never have the same.
            firstNumber = (try await primary.newest(1).last?.number ?? 0) + 1
        } catch {
            sayUnreadable(error)
        }
    }

    private func sayUnreadable(_ error: JournalError) {
        guard !saidReadFailure else { return }
        saidReadFailure = true
        report(error)
    }

    /// Takes records in, sorted, once each. An outage that is over is let go of, but for its end,
    /// which tells that it is.
    private func keep(_ records: [Record]) {
        seen = merged(records, with: seen)
        guard failure == nil else { return }
        var closed: Set<OutageID> = []
        for record in records where record.event == .outageClosed { closed.insert(record.outage) }
        if !closed.isEmpty {
            seen.removeAll { closed.contains($0.outage) && $0.event != .outageClosed }
        }
    }

    private func merged(_ records: [Record], with others: [Record]) -> [Record] {
        // The usual case, one record after all others, costs nothing.
        if let first = records.first, let last = others.last, records.count == 1,
            first.number > last.number
        {
            return others + records
        }
        let known = Set(others.map(\.number))
        return (others + records.filter { !known.contains($0.number) })
            .sorted { $0.number < $1.number }
    }
}
