import PowerLab
import PowerModel
import PowerRun
import Testing

/// Guests that wait for an answer, that somebody has disabled, or that are busy.
struct QuestionTests {
    private func bench(
        answers: [QuestionAnswer] = [], _ prepare: (inout LabGuestSpec) -> Void = { _ in }
    ) -> Bench {
        var scenario = LabScenario.standard()
        scenario.answers = answers
        for index in scenario.guests.indices where scenario.guests[index].name == "db-main" {
            prepare(&scenario.guests[index])
        }
        return Bench(scenario)
    }

    private static let moved = QuestionAnswer(match: "msg.uuid.altered", choose: "i moved it")

    /// What was recorded of one guest's step, in order.
    private func asked(_ bench: Bench) async throws -> [String] {
        try await bench.around.journal.newest(1000).compactMap { record in
            if case .asked(_, let what) = record.event { what } else { nil }
        }
    }

    @Test func `a question is answered as the site file says, and the record comes first`() throws {
        let bench = bench(answers: [Self.moved]) { $0.hasQuestion = true }
        let (result, words, violations) = try simulate(bench) {
            let result = try await bench.carryOut([Bench.phase([bench.stop("db-main")])])
            return (result, try await self.asked(bench), await bench.site.violations())
        }
        #expect(result == .finished)
        #expect(words.count == 2)
        #expect(words.first?.hasPrefix("answer db-main \"I _moved it\" to: msg.uuid.alt") == true)
        #expect(words.last == "shut down db-main")
        #expect(!violations.contains { $0.contains("answer") }, "\(violations)")
    }

    @Test(arguments: [
        [], [QuestionAnswer(match: "msg.cdromdisconnect.locked", choose: "Yes")],
        [QuestionAnswer(match: "msg.uuid.altered", choose: "Maybe")],
        [QuestionAnswer(match: "altered", choose: "Never"), moved],
    ])
    func `a question that the site file does not answer is told with its words, and nobody answers`(
        answers: [QuestionAnswer]
    ) throws {
        let bench = bench(answers: answers) { $0.hasQuestion = true }
        let (run, log) = try simulate(bench) {
            let step = bench.stop("db-main", limit: .seconds(4))
            _ = try await bench.carryOut([Bench.phase([step])])
            return (try await bench.ledger().lastRun, bench.site.world.log)
        }
        let note = run?.notes.first { $0.contains("question") }
        #expect(note?.contains("moved or copied") == true)
        #expect(note?.contains("\"Cancel\", \"I _moved it\", \"I _copied it\"") == true)
        #expect(!log.contains { $0.kind == .guestAnswered })
        #expect(run?.outcome(of: StepID("stop/\(bench.id("db-main"))")) == .done(.forced))
    }

    @Test func `a guest that asks as it is started is answered, and is on`() throws {
        let bench = bench(answers: [Self.moved]) {
            $0.hasQuestion = true
            $0.isOn = false
        }
        let (result, kinds) = try simulate(bench) {
            let step = bench.start("db-main", on: "esx2.lab")
            let result = try await bench.carryOut([Bench.phase([step])])
            return (result, bench.site.world.log.map(\.kind))
        }
        #expect(result == .finished)
        #expect(kinds.firstIndex(of: .guestAnswered) ?? .max < kinds.firstIndex(of: .guestOn) ?? 0)
    }

    /// Trap (facts/vsphere.md 4.4): to ask again comes to the same.
    @Test(arguments: [Escalation.powerOff, .suspend, .leave])
    func `a guest whose shutdown a solution has disabled goes as its policy says, at once`(
        policy: Escalation
    ) throws {
        let bench = bench { $0.disabledBy = "com.example.backup" }
        let (outcome, took) = try simulate(bench) {
            let began = bench.site.time.elapsed
            let step = bench.stop("db-main", limit: .seconds(60), policy)
            _ = try await bench.carryOut([Bench.phase([step])])
            let run = try await bench.ledger().lastRun
            return (run?.outcome(of: step.id), bench.site.time.elapsed - began)
        }
        switch policy {
        case .powerOff: #expect(outcome == .done(.forced))
        case .suspend: #expect(outcome == .done(.suspended))
        case .leave:
            guard case .left(let why) = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
            #expect(why.contains("com.example.backup"))
        }
        #expect(took < .seconds(5))
    }

    /// Trap (facts/vsphere.md 4.4): TaskInProgress while an operation of its vApp runs.
    @Test func `a guest whose vApp is busy is asked again within its limit`() throws {
        var scenario = LabScenario.standard()
        let id = Bench(scenario).id("db-main").rawValue
        scenario.faults = [PlannedFault(.guestBusy, id, lasts: .seconds(5))]
        let bench = Bench(scenario)
        let outcome = try simulate(bench) {
            let step = bench.stop("db-main", limit: .seconds(30))
            _ = try await bench.carryOut([Bench.phase([step])])
            return try await bench.ledger().lastRun?.outcome(of: step.id)
        }
        #expect(outcome == .done(.asked))
    }

    @Test
    func `a start that is refused for want of room is tried until its limit, not so many times`()
        throws
    {
        var bench = bench { $0.isOn = false }
        let tries = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { call in
            guard call == .powerOn("db-main") else { return nil }
            return tries.add() < 8 ? .noRoom : nil
        }
        bench.around.cluster = cluster
        let made = bench
        let result = try simulate(bench) {
            let step = made.start("db-main", on: "esx2.lab", limit: .seconds(60))
            return try await made.carryOut([Bench.phase([step])])
        }
        #expect(result == .finished)
        #expect(tries.count == 8)
    }

    @Test func `a guest whose process had to be ended is told`() throws {
        let bench = bench {
            $0.hangsAtPowerOff = true
            $0.hasTools = false
        }
        let run = try simulate(bench) {
            _ = try await bench.carryOut([Bench.phase([bench.stop("db-main")])])
            return try await bench.ledger().lastRun
        }
        #expect(run?.notes.contains { $0.contains("db-main: its process was ended") } == true)
        #expect(run?.outcome(of: StepID("stop/\(bench.id("db-main"))")) == .done(.forced))
    }
}
