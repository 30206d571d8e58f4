import PowerModel
import PowerRun
import PowerService
import PowerStore

/// Where vpower's state is, and the journals in it.
struct StatePlaces: Sendable {
    /// The journal, on disk.
    let directory: String
    /// In /run, which is memory: the runs' locks, and the journal while the disk fails.
    let runtime: String
    private let time = SystemTime()

    static let directoryDefault = "/var/lib/vpower"
    static let runtimeDefault = "/run/vpower"

    /// Another state directory has its own place for locks, so that two sites never meet.
    init(_ option: String?, _ environment: [String: String]) {
        directory = option ?? environment["VPOWER_STATE"] ?? Self.directoryDefault
        runtime =
            environment["VPOWER_RUN"]
            ?? (directory == Self.directoryDefault ? Self.runtimeDefault : "\(directory)/run")
    }

    // MARK: To write

    /// The journal of a run started by hand, which refuses to begin without one. Once it has
    /// begun, it goes on when the disk fails.
    func openByHand() async throws -> FallbackJournal {
        let primary: SQLiteJournal
        do { primary = try openPrimary() } catch { throw Problem(.journal(error)) }
        let journal = FallbackJournal(
            primary: primary, spare: openSpare(), wall: wall, report: tellLost)
        await journal.takeOver(into: primary)
        if let failure = await journal.failure { throw Problem(.journal(failure)) }
        return journal
    }

    /// The journal of the daemon: an outage does not wait for a disk, so whatever is wrong with
    /// the file, there is one; and it is said.
    func openForDaemon() async -> FallbackJournal {
        let spare = openSpare()
        do {
            let primary = try await openOrReplace()
            await prune([primary] + (spare.map { [$0] } ?? []))
            let journal = FallbackJournal(
                primary: primary, spare: spare, wall: wall, report: tellLost)
            await journal.takeOver(into: primary)
            return journal
        } catch {
            let journal = FallbackJournal(
                failure: error, reading: reader(of: directory), spare: spare, wall: wall,
                report: tellLost)
            await journal.takeOver(into: nil)
            return journal
        }
    }

    private func openPrimary() throws(JournalError) -> SQLiteJournal {
        try SQLiteJournal(directory: directory, wall: wall)
    }

    private func openOrReplace() async throws(JournalError) -> SQLiteJournal {
        do { return try openPrimary() } catch {
            guard error.reason == .damaged else { throw error }
            let replaced = try await SQLiteJournal.replaceDamaged(in: directory, wall: wall)
            Terminal.error("vpower: \(error); \(replaced.setAside)")
            return replaced.journal
        }
    }

    private func openSpare() -> SQLiteJournal? {
        do { return try SQLiteJournal(directory: runtime, wall: wall) } catch {
            Terminal.error("vpower: \(error); if the disk fails, records stay in memory only")
            return nil
        }
    }

    private func prune(_ journals: [SQLiteJournal]) async {
        for journal in journals {
            // A journal that takes no change says so again at the first record.
            do { _ = try await journal.prune() } catch {
                Terminal.error("vpower: \(error); old outages are kept")
            }
        }
    }

    // MARK: To read

    /// The journal for a command that only reads: where nothing was ever recorded, an empty one,
    /// so that looking makes no files; with what a failed disk left in /run.
    func openToRead() async throws -> any Journal & History {
        var left: [Record] = []
        do { left = try await SQLiteJournal(reading: runtime)?.newest(.max) ?? [] } catch {
            Terminal.error("vpower: \(error); what it may hold is not shown")
        }
        var journal: any Journal & History = MemoryJournal(wall: wall)
        do {
            if let reader = try SQLiteJournal(reading: directory) { journal = reader }
        } catch {
            guard !left.isEmpty else { throw Problem(.journal(error)) }
            Terminal.error("vpower: \(error); only what is in \(runtime) is shown")
        }
        if left.isEmpty { return journal }
        return FallbackJournal(reading: journal, left: left, wall: wall, report: tellUnread)
    }

    /// An outage has two runs at least: down and back.
    private static let estimateRuns = 2 * Estimates.samplesMax

    /// What past runs of a cluster tell of how long its steps take. Never fails: with a history
    /// that cannot be read there are no estimates, and the limits stand in for them.
    func estimates(for cluster: ClusterName, from history: any History) async -> Estimates {
        do {
            let runs = try await history.finishedRuns(of: cluster, newest: Self.estimateRuns)
            return Estimates(from: Array(runs.reversed()))
        } catch {
            Terminal.error("vpower: \(error); nothing is estimated from past runs")
            return Estimates()
        }
    }

    private func reader(of directory: String) -> SQLiteJournal? {
        do { return try SQLiteJournal(reading: directory) } catch {
            // The daemon says already why it cannot write it: the same reason.
            return nil
        }
    }

    // MARK: Parts

    private var wall: @Sendable () -> Timestamp {
        let time = time
        return { time.wall }
    }

    private var tellLost: @Sendable (JournalError) -> Void {
        let runtime = runtime
        return { error in
            Terminal.error(
                "vpower: \(error); recorded in \(runtime) and in memory only: mend the disk")
        }
    }

    private var tellUnread: @Sendable (JournalError) -> Void {
        { error in Terminal.error("vpower: \(error); not all of it is shown") }
    }
}
