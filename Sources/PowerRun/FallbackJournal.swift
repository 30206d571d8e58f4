public import PowerModel

/// A journal that never stops a run: when its first one fails, it goes on in a spare one and in
/// memory, and says so.
///
/// An outage does not wait for a disk (DESIGN 3). After the first failed write nothing more goes to
/// the first journal: a hole in its records would mislead a resume more than their end does. The
/// spare (in /run) gets the open outages whole, so that a vpower that is killed then can still go
/// on; the next one that finds the first journal working moves them back (`takeOver`).
public actor FallbackJournal: Journal {
    private let primary: (any Journal)?
    private let wall: @Sendable () -> Timestamp
    private let report: @Sendable (JournalError) -> Void
    /// Why the first journal is no longer used; nil while it is.
    public private(set) var failure: JournalError?
    private var spare: (any RecordStore)?
    /// What the spare has to be given before the next record counts as written.
    private var unspared: [Record] = []
    /// Open outages as they went through here, so that memory has them whole.
    private var seen: [Record] = []
    private var saidReadFailure = false
    /// Where numbers begin when not even the journal's last one can be read: above any it has.
    private static let firstUnknownNumber: Int64 = 1 << 40
    private var firstNumber: Int64 = 1

    /// Wraps a journal. `report` is called once when it can no longer be written to, once at the
    /// first time it cannot be read, and once when the spare fails. `wall` stamps what the first
    /// journal did not take.
    public init(
        primary: any Journal, spare: (any RecordStore)? = nil,
        wall: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (JournalError) -> Void
    ) {
        self.primary = primary
        self.spare = spare
        self.wall = wall
        self.report = report
    }

    /// Stands in for a journal that could not be opened to write, and reads it if it can be read;
    /// `report` is called at once.
    public init(
        failure: JournalError, reading primary: (any Journal)? = nil,
        spare: (any RecordStore)? = nil, wall: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (JournalError) -> Void
    ) {
        self.primary = primary
        self.spare = spare
        self.wall = wall
        self.report = report
        self.failure = failure
        report(failure)
    }

    /// For looking only: a journal as it is, and what a spare one still holds. What is written
    /// stays in memory.
    public init(
        reading primary: any Journal, left: [Record], wall: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (JournalError) -> Void
    ) {
        self.primary = primary
        self.wall = wall
        self.report = report
        failure = JournalError(path: "", reason: .other, detail: "opened for reading")
        seen = left.sorted { $0.number < $1.number }
    }

    /// Goes on with what an earlier process left in the spare: moves it into this journal, the
    /// first one, when that can be written to, and else takes it for what went through here.
    public func takeOver(into primary: (any RecordStore)?) async {
        guard let spare else { return }
        do {
            let left = try await spare.newest(.max)
            guard let last = left.last else { return }
            do {
                guard let primary else {
                    seen = left
                    return
                }
                try await primary.take(left)
            } catch {
                seen = left
                await fail(error)
                return
            }
            try await spare.forget(through: last.number)
        } catch {
            report(error)
        }
    }

    /// Writes one event to the journal, or to the spare and memory once that has failed. Never
    /// throws.
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
        await writeToSpare()
        return record
    }

    /// The open outages of this cluster: from the journal as far as it can be read, and what only
    /// the spare and memory have.
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

    // MARK: Failures

    private func fail(_ error: JournalError) async {
        // Two writes can fail at once; the second finds it said.
        guard failure == nil else { return }
        failure = error
        // All of them before any later record: whoever reads the spare needs what came before.
        unspared = seen
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

    // MARK: The spare

    /// Gives the spare what it lacks. Two of these at once write the same records, which it takes
    /// once: so each returns only when everything up to its own record is there.
    private func writeToSpare() async {
        guard let spare else {
            unspared = []
            return
        }
        let records = unspared
        do {
            try await spare.take(records)
            let written = Set(records.map(\.number))
            unspared.removeAll { written.contains($0.number) }
        } catch {
            guard self.spare != nil else { return }
            self.spare = nil
            unspared = []
            report(error)
        }
    }

    // MARK: Memory

    /// Takes records in, sorted, once each. An outage that is over is let go of, but for its end,
    /// which tells that it is.
    private func keep(_ records: [Record]) {
        let new = unknown(records, to: seen)
        let isInOrder = (new.first?.number ?? .max) > (seen.last?.number ?? 0)
        seen += new
        if !isInOrder { seen.sort { $0.number < $1.number } }
        guard failure == nil else {
            // The spare has to have them too before the next record counts as written.
            unspared += new
            return
        }
        var closed: Set<OutageID> = []
        for record in records where record.event == .outageClosed { closed.insert(record.outage) }
        if !closed.isEmpty {
            seen.removeAll { closed.contains($0.outage) && $0.event != .outageClosed }
        }
    }

    /// What tells two records apart: other processes may have given the same number.
    private struct Key: Hashable {
        var number: Int64
        var at: Timestamp
        var outage: OutageID

        init(_ record: Record) {
            number = record.number
            at = record.at
            outage = record.outage
        }
    }

    private func unknown(_ records: [Record], to others: [Record]) -> [Record] {
        // The usual case, one record after all others, costs nothing.
        if let only = records.first, records.count == 1, only.number > others.last?.number ?? 0 {
            return records
        }
        let known = Set(others.map(Key.init))
        return records.filter { !known.contains(Key($0)) }
    }

    private func merged(_ records: [Record], with others: [Record]) -> [Record] {
        (others + unknown(records, to: others)).sorted { $0.number < $1.number }
    }
}

// MARK: - Past runs

extension FallbackJournal: History {
    /// The newest outages, newest first; those that only the spare and memory have come first.
    public func outages(
        of cluster: ClusterName?, newest limit: Int
    ) async throws(JournalError) -> [OutageID] {
        var outages = seen.outagesNewestFirst(of: cluster)
        if let history = primary as? any History {
            let known = Set(outages)
            outages += try await history.outages(of: cluster, newest: limit)
                .filter { !known.contains($0) }
        }
        return Array(outages.prefix(max(0, limit)))
    }

    /// All records of one outage, in order.
    public func records(of outage: OutageID) async throws(JournalError) -> [Record] {
        let own = seen.filter { $0.outage == outage }
        guard let history = primary as? any History else { return own }
        return merged(try await history.records(of: outage), with: own)
    }

    /// The outage a run belongs to.
    public func outage(of run: RunID) async throws(JournalError) -> OutageID? {
        if let record = seen.first(where: { $0.run == run }) { return record.outage }
        guard let history = primary as? any History else { return nil }
        return try await history.outage(of: run)
    }
}
