/// Things that are due at moments: the earliest first, and of those at the same moment the one
/// that came first.
struct TimedHeap<What: Sendable>: Sendable {
    /// What is put in order: not the things themselves, to move one costs more than all the rest.
    private struct Key: Sendable {
        let at: Duration
        let order: Int
        /// Where the thing is.
        let slot: Int

        func isBefore(_ other: Key) -> Bool { (at, order) < (other.at, other.order) }
    }

    private var keys: [Key] = []
    private var things: [What?] = []
    private var freeSlots: [Int] = []
    private var nextOrder = 0

    /// When the first of them is due.
    var firstAt: Duration? { keys.isEmpty ? nil : keys[0].at }

    mutating func add(_ what: What, at moment: Duration) {
        nextOrder += 1
        let key = Key(at: moment, order: nextOrder, slot: store(what))
        keys.append(key)
        var child = keys.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !key.isBefore(keys[parent]) { break }
            keys[child] = keys[parent]
            child = parent
        }
        keys[child] = key
    }

    private mutating func store(_ what: What) -> Int {
        if let slot = freeSlots.popLast() {
            things[slot] = what
            return slot
        }
        things.append(what)
        return things.count - 1
    }

    /// Takes the first of them out.
    mutating func removeFirst() -> (at: Duration, what: What)? {
        guard let first = keys.first, let what = things[first.slot] else { return nil }
        things[first.slot] = nil
        freeSlots.append(first.slot)
        let last = keys.removeLast()
        if !keys.isEmpty { sink(last) }
        return (first.at, what)
    }

    /// Puts a key in at the top and moves it to where it belongs.
    private mutating func sink(_ key: Key) {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            if least >= keys.count { break }
            if least + 1 < keys.count, keys[least + 1].isBefore(keys[least]) { least += 1 }
            if !keys[least].isBefore(key) { break }
            keys[parent] = keys[least]
            parent = least
        }
        keys[parent] = key
    }
}
