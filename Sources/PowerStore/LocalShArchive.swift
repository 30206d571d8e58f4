import FoundationEssentials
import Glibc
public import PowerModel
public import PowerRun

/// What people had in the hosts' local.sh before vpower put its block into it: the newest versions
/// of each host, in the state directory.
public struct LocalShArchive: Sendable {
    /// So many versions of one host are kept; the oldest goes first.
    public static let versionsMax = 10
    /// A local.sh is a page or two; more is no reason to fill a disk.
    static let limitBytes = 1 << 20

    private let directory: String

    /// An archive in this state directory.
    public init(state: String) { directory = "\(state)/localsh" }

    /// Where a host's versions are.
    public func directory(of host: HostName) -> String {
        "\(directory)/\(StateFile.name(host.rawValue))"
    }

    /// A host's versions, the oldest first: their paths.
    public func versions(of host: HostName) throws(JournalError) -> [String] {
        let place = directory(of: host)
        guard try StateDirectory.exists(place) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: place)
                .filter { $0.hasPrefix(Self.lead) && !$0.hasSuffix(Self.draft) }.sorted()
                .map { "\(place)/\($0)" }
        } catch { throw JournalError(path: place, reason: .other, detail: "cannot be listed") }
    }

    /// The text of the newest version; nil when there is none.
    public func newest(of host: HostName) throws(JournalError) -> String? {
        guard let path = try versions(of: host).last else { return nil }
        do {
            let contents = try BoundedFile.read(path, limit: Self.limitBytes)
            return String(decoding: contents.bytes, as: UTF8.self)
        } catch { throw JournalError(path: path, reason: .other, detail: error.words) }
    }

    /// Keeps a version, unless it is the newest already; its path where it was kept now.
    @discardableResult
    public func keep(
        _ text: String, of host: HostName, at time: Timestamp
    ) throws(JournalError) -> String? {
        if try newest(of: host) == text { return nil }
        let place = directory(of: host)
        try StateDirectory.create(place)
        let path = "\(place)/\(Self.lead)\(Self.stamp(time))"
        let draft = path + Self.draft
        try StateFile.put(Array(text.utf8), draft)
        guard rename(draft, path) == 0 else { throw StateDirectory.error(path) }
        try StateDirectory.sync(place)
        for old in try versions(of: host).dropLast(Self.versionsMax) { try StateFile.remove(old) }
        return path
    }

    private static let lead = "local.sh."
    private static let draft = ".new"

    /// `20261122T084410123Z`: sorts by time, and needs no quotes.
    private static func stamp(_ time: Timestamp) -> String {
        let date = Date(timeIntervalSince1970: Double(time.millisecondsSinceEpoch) / 1000)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return String(date.formatted(style).filter { $0.isLetter || $0.isNumber })
    }
}
