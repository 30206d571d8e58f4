import Glibc

/// The directory in which events wait for a daemon that is not there.
struct Spool {
    /// Where it is (`Templates/systemd/vpower-tmpfiles.conf` makes it).
    static let directory = "/var/spool/vpower"
    /// How many files it may hold: an hour of a feed that flaps every ten seconds fits, and with
    /// files of at most 4 KiB it is never more than 2 MiB.
    static let fileLimit = 512
    /// How many old files one event may push out, so that a directory stuffed by somebody else
    /// cannot hold it up.
    static let removalLimit = 8
    /// How many names one event looks at, for the same reason.
    static let scanLimit = 2 * fileLimit

    var directory: String

    /// Writes one event down: it is on the disk, whole, under a name that begins with `event-`, or
    /// not there at all. When the spool is full the oldest event makes room: the newest is the
    /// one that may still matter.
    func keep(_ bytes: [UInt8]) {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        defer { close(folder) }
        makeRoom(in: folder)

        // Sorts by time; the process id tells events of the same nanosecond apart.
        let name = "\(Self.stamp())-\(getpid())"
        let temporary = ".tmp-\(name)"
        guard write(bytes, to: temporary, in: folder),
            renameat(folder, temporary, folder, "event-\(name)") == 0
        else {
            unlinkat(folder, temporary, 0)
            return
        }
        fsync(folder)
    }

    private func write(_ bytes: [UInt8], to name: String, in folder: Int32) -> Bool {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        // The daemon need not be root: the directory's group reads it too.
        let file = openat(folder, name, flags, 0o640)
        guard file >= 0 else { return false }
        defer { close(file) }
        return Glibc.write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
    }

    private func makeRoom(in folder: Int32) {
        var names = entries(of: folder)
        guard names.count >= Self.fileLimit else { return }
        // Events before files that are still being written: those may be a neighbour's.
        names.sort { ($0.hasPrefix(".") ? 1 : 0, $0) < ($1.hasPrefix(".") ? 1 : 0, $1) }
        for name in names.prefix(min(names.count - Self.fileLimit + 1, Self.removalLimit)) {
            unlinkat(folder, name, 0)
        }
    }

    /// The files that a vpower-notify wrote or is writing, without their order.
    private func entries(of folder: Int32) -> [String] {
        // `fdopendir` owns the descriptor it is given.
        guard let stream = fdopendir(dup(folder)) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < Self.scanLimit, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    String(cString: $0)
                }
            }
            if name.hasPrefix("event-") || name.hasPrefix(".tmp-") { names.append(name) }
        }
        return names
    }

    /// Nanoseconds of wall time, always 20 digits.
    private static func stamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let digits = String(UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec))
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }
}
