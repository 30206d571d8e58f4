/// Things that have an identity: each is found by it once, and by its place from then on. There
/// are as many as there were at first.
struct LabTable<ID: Hashable & Comparable & Sendable, Thing: Sendable>: Sendable {
    /// Where a thing is. Places are in the order of the identities.
    struct Place: Hashable, Comparable, Sendable {
        fileprivate let number: Int
        static func < (left: Place, right: Place) -> Bool { left.number < right.number }
    }

    private var things: [Thing]
    private let places: [ID: Place]

    /// A table of these; of those with the same identity, the first.
    init(_ list: [Thing], by id: (Thing) -> ID) {
        things = list.sorted { id($0) < id($1) }
        places = Dictionary(
            things.enumerated().map { (id($1), Place(number: $0)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Every place, in order.
    var all: some RandomAccessCollection<Place> {
        things.indices.lazy.map { Place(number: $0) }
    }

    /// The place of the thing of this identity.
    func place(of id: ID) -> Place? { places[id] }

    /// The thing at a place.
    subscript(place: Place) -> Thing {
        _read { yield things[place.number] }
        _modify { yield &things[place.number] }
    }
}
