import PowerModel
import Synchronization

/// What the engine sees of the guests of one phase and through whom it acts: vCenter, or the hosts
/// themselves once vCenter is gone.
final class GuestView: Sendable {
    /// One guest as seen.
    struct Seen: Sendable {
        var power: GuestPower
        var tools: ToolsState = .unknown
        var host: HostName?
        /// The host that has it, where that did not come back and still is not there.
        var lostWith: HostName?
        /// Whether vCenter shows it as broken, whatever its host does.
        var isUnusable = false
        /// How the question it waits with is answered, where the site file says so.
        var reply: GivenReply?
    }

    /// What became of a request.
    enum Answer: Sendable {
        /// It was taken.
        case taken
        /// Nobody to ask, and why: another try comes to the same.
        case cannot(String)
        /// Not now, and why: another try costs nothing.
        case later(String)
        /// It was not taken; worth another try.
        case failed(String)
    }

    private struct State {
        /// Where each guest was seen last.
        var places: [HostName?]
        var version: UInt64?
        var rest: Duration = .zero
        var throughHosts: Bool
        var hasSeenHosts = false
        var notes: [String] = []
        var told: Set<String> = []

        mutating func note(_ text: String) {
            if told.insert(text).inserted { notes.append(text) }
        }
    }

    private let around: Surroundings
    private let facts: RunFacts
    private let guests: [Guest]
    /// The places of the guests in `guests`, sorted by identity as an inventory is: so a look goes
    /// through both once, and looks nothing up.
    private let sorted: [Int]
    private let state: Mutex<State>

    /// A view of these guests: what is seen has their order.
    init(of guests: [Guest], facts: RunFacts, in around: Surroundings) {
        self.around = around
        self.facts = facts
        self.guests = guests
        sorted = guests.indices.sorted { guests[$0].id < guests[$1].id }
        state = Mutex(
            State(places: guests.map(\.host), throughHosts: facts.isClusterGone))
    }

    /// What an operator should know of this view, each thing once.
    func takeNotes() -> [String] {
        state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        }
    }

    /// Waits for a change and returns what is seen, at once the first time; nil when called off.
    func look() async -> [Seen?]? {
        let (version, rest, throughHosts) = state.withLock {
            ($0.version, $0.rest, $0.throughHosts)
        }
        do {
            if throughHosts { return try await lookAtHosts() }
            if rest > .zero { try await around.time.sleep(for: rest) }
            return try await lookAtCluster(newerThan: version)
        } catch { return nil }
    }

    private func lookAtCluster(
        newerThan version: UInt64?
    ) async throws(CancellationError) -> [Seen?] {
        do {
            let inventory = try await around.cluster.inventory(
                newerThan: version, within: around.pace.listen)
            return take(inventory)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            take(error)
            return try await lookAtHosts()
        }
    }

    private func take(_ inventory: Inventory) -> [Seen?] {
        let gone = facts.lostHosts.filter { inventory.host($0)?.connected == false }
        let shown = inventory.guests
        return state.withLock { state in
            var seen = [Seen?](repeating: nil, count: guests.count)
            var next = 0
            for place in sorted {
                let id = guests[place].id
                while next < shown.count, shown[next].id < id { next += 1 }
                guard next < shown.count, shown[next].id == id else { continue }
                // Field by field: to copy a guest costs more than all of this.
                let host = shown[next].host
                seen[place] = Seen(
                    power: shown[next].power, tools: shown[next].tools, host: host,
                    lostWith: host.flatMap { gone.contains($0) ? $0 : nil })
                if host != nil { state.places[place] = host }
                if shown[next].power == .unknown {
                    seen[place]?.isUnusable = shown[next].nature == .unusable
                }
                if shown[next].hasQuestion {
                    seen[place]?.reply = reply(to: shown[next], &state)
                }
            }
            state.version = inventory.version
            state.rest = around.pace.rest(guests: shown.count)
            return seen
        }
    }

    /// How the site file answers a guest's question; where it does not, a person is told.
    private func reply(to guest: Guest, _ state: inout State) -> GivenReply? {
        guard let question = guest.question else { return nil }
        if let choice = QuestionAnswer.choice(for: question, by: around.site.answers) {
            return GivenReply(question, choice)
        }
        state.note(
            "guest \(guest.name.onOneLine) waits for the answer to a question: until a person gives "
                + "it, it follows no request: \(question.summary)")
        return nil
    }

    private func take(_ error: ClusterError) {
        if error.isAbsence { facts.loseCluster() }
        state.withLock { state in
            if !error.isAbsence {
                state.note("\(error)")
            } else if !state.throughHosts {
                state.throughHosts = true
                state.note(
                    "vCenter is gone (\(error.detail)): guests are reached through their hosts")
            }
        }
    }

    private func lookAtHosts() async throws(CancellationError) -> [Seen?] {
        let isFirst = state.withLock { state in
            defer { state.hasSeenHosts = true }
            return !state.hasSeenHosts
        }
        if !isFirst { try await around.time.sleep(for: around.pace.look) }
        // A host that cannot be read is unknown: its guests' own limits decide.
        let lists = await around.listGuests()
        let places = lists.places
        let lost = facts.lostHosts.intersection(lists.unread.keys)
        return state.withLock { state in
            guests.indices.map { number in
                if let place = places[guests[number].vmxPath] {
                    state.places[number] = place.host
                    return Seen(power: place.power, host: place.host)
                }
                guard let host = state.places[number], lost.contains(host) else { return nil }
                return Seen(power: .unknown, host: host, lostWith: host)
            }
        }
    }

    /// Asks something of the guest with this number; returns when the far side has answered.
    func request(_ act: GuestAct, of number: Int) async -> Answer {
        let guest = guests[number]
        let (throughHosts, place) = state.withLock { ($0.throughHosts, $0.places[number]) }
        if !throughHosts {
            do {
                if let note = try await around.cluster.request(act, of: guest) {
                    state.withLock { $0.note(note) }
                }
                return .taken
            } catch {
                if error.reason == .unreachable, !Task.isCancelled { take(error) }
                return Answer(error)
            }
        }
        guard let place, let host = around.hosts[place] else {
            return .failed("its host is not known")
        }
        return await host.answer(to: act, of: guest)
    }
}

/// What can be asked of a guest.
enum GuestAct: Hashable, Sendable {
    case shutDown, powerOff, suspend
    case powerOn(HostName)
    case reply(GivenReply)

    /// The act in an operator's words.
    func words(_ guest: Guest) -> String {
        let name = guest.name.onOneLine
        return switch self {
        case .shutDown: "shut down \(name)"
        case .powerOff: "power off \(name)"
        case .suspend: "suspend \(name)"
        case .powerOn(let host): "start \(name) on \(host)"
        case .reply(let reply):
            "answer \(name) \"\(reply.choice.label.onOneLine)\" to: \(reply.question.summary)"
        }
    }
}

/// An answer that the site file gives to a guest's question. Shared: it is seldom there, and what
/// is seen of guests is copied all the time.
final class GivenReply: Hashable, Sendable {
    let question: GuestQuestion
    let choice: GuestQuestion.Choice

    init(_ question: GuestQuestion, _ choice: GuestQuestion.Choice) {
        self.question = question
        self.choice = choice
    }

    static func == (left: GivenReply, right: GivenReply) -> Bool {
        left.question == right.question && left.choice == right.choice
    }

    func hash(into hasher: inout Hasher) { hasher.combine(question.id) }
}

/// The reply that is given to a guest, once to each question.
struct ReplyDesk {
    /// The question that was answered last, or is being answered.
    private var question: String?
    private var isCalling = false
    private var retryAt: Duration?

    /// What is to be done about the question that a guest waits with; nil where that is nothing.
    func verdict(on reply: GivenReply?, now: Duration) -> GuestVerdict? {
        guard let reply else { return nil }
        if isCalling { return .wait(until: nil) }
        if reply.question.id == question {
            guard let retryAt else { return nil }
            return now >= retryAt ? .act(.reply(reply)) : .wait(until: retryAt)
        }
        return .act(.reply(reply))
    }

    mutating func begin(_ reply: GivenReply) {
        question = reply.question.id
        isCalling = true
        retryAt = nil
    }

    mutating func take(_ answer: GuestView.Answer, now: Duration, pace: EnginePace) {
        isCalling = false
        if case .taken = answer { return }
        retryAt = now + pace.look
    }
}

extension GuestView.Answer {
    /// What a refusal means for the next try.
    init(_ error: ClusterError) {
        switch error.reason {
        case .toolsUnavailable: self = .cannot("no Tools to ask")
        case .methodDisabled: self = .cannot("\(error)")
        case .busy, .noRoom: self = .later("\(error)")
        default: self = .failed("\(error)")
        }
    }
}

extension ClusterControl {
    /// Asks something of a guest; what an operator should know of how it went.
    fileprivate func request(
        _ act: GuestAct, of guest: Guest
    ) async throws(ClusterError) -> String? {
        switch act {
        case .shutDown: try await shutDown(guest)
        case .powerOff:
            guard case .processEnded(let why) = try await powerOff(guest) else { return nil }
            return "guest \(guest.name.onOneLine): its process was ended: \(why)"
        case .suspend: try await suspend(guest)
        case .powerOn(let host): try await powerOn(guest, on: host)
        case .reply(let reply):
            try await answer(reply.question, of: guest, with: reply.choice)
        }
        return nil
    }
}

extension HostControl {
    /// Asks something of a guest; returns when the host has answered.
    func answer(to act: GuestAct, of guest: Guest) async -> GuestView.Answer {
        do {
            try await request(act, of: guest.forHost)
            return .taken
        } catch {
            return error.reason == .toolsUnavailable
                ? .cannot("no Tools to ask") : .failed("\(error)")
        }
    }

    private func request(_ act: GuestAct, of guest: BootGuest) async throws(HostError) {
        switch act {
        case .shutDown: try await shutDown(guest)
        case .powerOff: try await powerOff(guest)
        case .suspend: try await suspend(guest)
        case .powerOn: try await powerOn(guest)
        // A question is seen and answered through vCenter; it was there a moment ago.
        case .reply: return
        }
    }
}

extension ClusterError {
    /// Whether vCenter as a whole cannot be used, as opposed to one call.
    var isAbsence: Bool {
        switch reason {
        case .unreachable, .starting, .loginRefused, .certificateRefused, .timedOut: true
        case .notPermitted, .notFound, .toolsUnavailable, .methodDisabled, .wrongState, .busy,
            .noRoom, .refused, .badAnswer:
            false
        }
    }

    /// Whether another try would come to the same, or lock the account.
    var isFinal: Bool {
        switch reason {
        case .certificateRefused, .loginRefused, .notPermitted: true
        case .unreachable, .starting, .notFound, .toolsUnavailable, .methodDisabled, .wrongState,
            .busy, .noRoom, .refused, .timedOut, .badAnswer:
            false
        }
    }
}

extension HostError {
    /// Whether another try would lock the account, is forbidden, or would come to the same.
    var isFinal: Bool {
        switch reason {
        case .loginRefused, .hostKeyRefused, .wayUnusable, .secureBoot: true
        case .unreachable, .notReady, .notFound, .toolsUnavailable, .refused, .timedOut,
            .badAnswer, .notAsWritten:
            false
        }
    }
}
