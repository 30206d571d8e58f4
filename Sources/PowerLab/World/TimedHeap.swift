/// Things that are due at moments: the earliest first, and of those at the same moment the one
/// that came first.
struct TimedHeap<What: Sendable>: Sendable {
    struct Entry: Sendable {
        let at: Duration
        let order: Int
        let what: What

        func isBefore(_ other: Entry) -> Bool { (at, order) < (other.at, other.order) }
    }

    private var entries: [Entry] = []
    private var nextOrder = 0

    /// When the first of them is due.
    var firstAt: Duration? { entries.isEmpty ? nil : entries[0].at }

    mutating func add(_ what: What, at moment: Duration) {
        nextOrder += 1
        entries.append(Entry(at: moment, order: nextOrder, what: what))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !entries[child].isBefore(entries[parent]) { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if entries.isEmpty { return first }
        entries[0] = last
        var parent = 0
        while true {
            var least = 2 * parent + 1
            if least >= entries.count { return first }
            if least + 1 < entries.count, entries[least + 1].isBefore(entries[least]) {
                least += 1
            }
            if !entries[least].isBefore(entries[parent]) { return first }
            entries.swapAt(least, parent)
            parent = least
        }
    }
}
