import Glibc
public import Logging
public import PowerRun
public import ServiceLifecycle

/// The directory in which `vpower-notify` leaves events when the daemon does not take them.
public struct EventSpool: Sendable {
    /// Where it is, unless VPOWER_SPOOL says otherwise (`Templates/systemd/vpower-tmpfiles.conf`).
    public static let directoryDefault = "/var/spool/vpower"
    /// How many events one call takes: twice what `vpower-notify` leaves there.
    public static let batchLimit = 1024
    /// How old an unfinished file is when its writer is surely gone.
    public static let unfinishedFor: Duration = .seconds(60)

    /// The directory.
    public let directory: String

    /// The spool in this directory.
    public init(directory: String = EventSpool.directoryDefault) { self.directory = directory }

    /// Takes the events out, oldest first, at most ``batchLimit``: they are removed when it
    /// returns. What is not a regular file named `event-…` is left alone and not followed.
    ///
    /// - Throws: ``EventSpoolError`` when the directory cannot be read.
    public func takeAll(at moment: BootMoment) throws(EventSpoolError) -> [EventNotice] {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw error("open the directory") }
        defer { close(folder) }
        let names = try names(in: folder)
        removeUnfinished(names, in: folder)
        var notices: [EventNotice] = []
        for name in names.filter({ $0.hasPrefix("event-") }).sorted().prefix(Self.batchLimit) {
            guard let bytes = contents(of: name, in: folder) else { continue }
            guard unlinkat(folder, name, 0) == 0 else { throw error("remove \(name)") }
            notices.append(EventNotice(decoding: bytes, at: moment))
        }
        return notices
    }

    private func names(in folder: Int32) throws(EventSpoolError) -> [String] {
        guard let stream = fdopendir(dup(folder)) else { throw error("list the directory") }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < 2 * Self.batchLimit, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    String(cString: $0)
                }
            }
            if name.hasPrefix("event-") || name.hasPrefix(".tmp-") { names.append(name) }
        }
        return names
    }

    /// The bytes of a regular file, one more than an event may have at most; nil for anything else.
    private func contents(of name: String, in folder: Int32) -> [UInt8]? {
        // Not blocking: a named pipe put there must not stop the daemon.
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        let file = openat(folder, name, flags)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0, about.st_mode & S_IFMT == S_IFREG else { return nil }
        var buffer = [UInt8](repeating: 0, count: UPSEvent.encodedLimit + 1)
        let count = read(file, &buffer, buffer.count)
        return count < 0 ? nil : Array(buffer.prefix(count))
    }

    private func removeUnfinished(_ names: [String], in folder: Int32) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        for name in names where name.hasPrefix(".tmp-") {
            var about = stat()
            guard fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let age = Duration.seconds(now.tv_sec - about.st_mtim.tv_sec)
            if age > Self.unfinishedFor { unlinkat(folder, name, 0) }
        }
    }

    private func error(_ attempting: String) -> EventSpoolError {
        EventSpoolError(
            directory: directory, attempting: attempting, detail: String(cString: strerror(errno)))
    }
}

/// Why the spool could not be used.
public struct EventSpoolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The directory.
    public var directory: String
    /// What was being done.
    public var attempting: String
    /// The system's own words.
    public var detail: String

    /// One line for people.
    public var description: String {
        "spool \(directory): cannot \(attempting): \(detail); events are lost while the daemon is"
            + " down (systemd-tmpfiles --create makes it)"
    }
}

/// Moves spooled events to the inbox, at the start and from then on.
public struct SpoolReader: Service {
    /// How often it looks. Events land here while the daemon is there only when its queue was
    /// full, and then the loop has been told already.
    public static let interval: Duration = .seconds(10)

    private let spool: EventSpool
    private let inbox: EventInbox
    private let time: any TimeSource
    private let logger: Logger

    /// Reads this spool into this inbox.
    public init(
        spool: EventSpool, inbox: EventInbox, time: any TimeSource = SystemTime(), logger: Logger
    ) {
        self.spool = spool
        self.inbox = inbox
        self.time = time
        self.logger = logger
    }

    /// Reads until a graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await readUntilCancelled() }
    }

    private func readUntilCancelled() async {
        var complaint: EventSpoolError?
        while !Task.isCancelled {
            do throws(EventSpoolError) {
                try spool.takeAll(at: SystemTime.bootMoment()).forEach(inbox.put)
                complaint = nil
            } catch {
                // Once, not every ten seconds.
                if error != complaint { logger.warning("\(error)") }
                complaint = error
            }
            do throws(CancellationError) {
                try await time.sleep(for: Self.interval)
            } catch {
                return
            }
        }
    }
}
