import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// What is wanted of a run while it goes on.
struct ControlTests {
    @Test func `an abort reverses a run whatever the mains do, and says by whom`() throws {
        let site = MemorySite()
        let (down, up, notes, violations) = try simulate(site) {
            site.world.failMains()
            let control = RunControl()
            let operation = site.operation(
                announcer: AtGuest(3) {
                    #expect(control.ask(.abort))
                    // The mains are still off: what takes `reverse` back does not take this back.
                    control.ask(.goOn)
                }, control: control)
            let down = try await site.goDown(operation)
            let notes = try await operation.ledger().lastRun?.notes
            let up = try await site.comeBack(site.operation())
            return (down, up, notes, await site.violations())
        }
        #expect(down == .reversed)
        #expect(notes?.contains("reversed by hand: abort") == true)
        #expect(up == .finished)
        #expect(violations == [])
    }

    @Test func `mains that come back are named as what reversed a run`() throws {
        let site = MemorySite()
        let notes = try simulate(site) {
            let control = RunControl()
            let operation = site.operation(
                announcer: AtGuest(3) { control.ask(.reverse) }, control: control)
            _ = try await site.goDown(operation)
            return try await operation.ledger().lastRun?.notes
        }
        #expect(notes?.contains("reversed: the mains are back") == true)
    }

    @Test(arguments: [RunControl.Wish.abort, .reverse])
    func `past the point of no return nothing is reversed`(_ wish: RunControl.Wish) throws {
        let site = MemorySite()
        let answers = Answers()
        let down = try simulate(site) {
            let control = RunControl()
            let operation = site.operation(
                announcer: AtPointOfNoReturn { answers.add(control.ask(wish)) },
                control: control)
            return try await site.goDown(operation)
        }
        #expect(down == .finished)
        #expect(answers.all == [false])
    }

    @Test func `a restore cannot be aborted`() throws {
        let site = MemorySite()
        let answers = Answers()
        let up = try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            try await site.cycle()
            let control = RunControl()
            let operation = site.operation(
                announcer: AtStepEnd("await-vcenter") {
                    answers.add(control.ask(.abort))
                }, control: control)
            return try await site.comeBack(operation)
        }
        #expect(up == .finished)
        #expect(answers.all == [false])
    }

    @Test func `an abandoned run ends at once and is resumed`() throws {
        let site = MemorySite()
        let (first, took, second, violations) = try simulate(site) {
            site.world.failMains()
            let control = RunControl()
            let gate = Answers()
            let operation = site.operation(
                announcer: AtGuest(1) { gate.add(true) }, control: control)
            let (first, took) = try await withThrowingTaskGroup(
                of: RunResult?.self, returning: (RunResult?, Duration).self
            ) { group in
                group.addTask { try await site.goDown(operation) }
                group.addTask {
                    while gate.all.isEmpty {
                        try await site.time.sleep(for: .milliseconds(10))
                    }
                    control.abandon()
                    return nil
                }
                var result: RunResult?
                let began = site.time.elapsed
                for try await one in group { result = one ?? result }
                return (result, site.time.elapsed - began)
            }
            let resumed = try await site.operation().resume(mainsAreBack: false)
            try await site.cycle()
            _ = try await site.comeBack(site.operation())
            return (first, took, resumed, await site.violations())
        }
        #expect(first == .interrupted)
        // The lab's guests take 1.5 s: nothing of that was waited for.
        #expect(took < .milliseconds(1500), "\(took)")
        #expect(second == .continued(.cluster, .finished))
        #expect(violations == [])
    }

    @Test func `abandoning calls off a hook that hangs`() throws {
        var bench = Bench()
        let control = RunControl()
        let time = bench.site.time
        bench.around.runHook = { _, _ in
            do { try await time.sleep(for: .seconds(3000)) } catch { return .failed("stopped") }
            return .exited(0)
        }
        let made = bench
        let (result, took, run) = try simulate(bench) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await time.sleep(for: .seconds(10))
                    control.ask(.stop)
                    try await time.sleep(for: .seconds(20))
                    control.abandon()
                }
                let step = Step(
                    .runHook(Hook(command: ["x"]), TierName("db"), .before, place: 1),
                    limit: .seconds(3600))
                let result = try await made.carryOut([Bench.phase([step])], control: control)
                let took = time.elapsed
                return (result, took, try await made.ledger().lastRun)
            }
        }
        #expect(result == .interrupted)
        #expect(took == .seconds(30))
        // Not over: a resume runs it again.
        #expect(run?.progress.values.contains { $0.outcome != nil } == false)
    }

    @Test func `a refused maintenance mode is not undone later`() throws {
        let site = MemorySite()
        let maintained = try simulate(site) {
            var around = site.around(announcer: Quiet()) { $0.maintenanceMode = true }
            around.bend("esx1.lab") { $0 == .maintenance ? .refused : nil }
            around.bend("esx3.lab") { $0 == .maintenance ? .timedOut : nil }
            let operation = Operation(in: around, control: RunControl(), makeID: { "m" })
            _ = try await site.goDown(operation)
            return try await operation.ledger().hostsPutInMaintenance.map(\.rawValue).sorted()
        }
        // What timed out may have happened all the same.
        #expect(maintained == ["esx2.lab", "esx3.lab"])
    }

    @Test(arguments: [[HostError.Reason.refused], [nil, .refused], [.timedOut, .refused]])
    func `the records say of maintenance mode what is so when a shutdown is tried again`(
        answers: [HostError.Reason?]
    ) throws {
        let site = MemorySite()
        let (recorded, isSo) = try simulate(site) {
            let host = HostName("esx1.lab")
            let asked = Mutex(0)
            let told = Mutex(0)
            var around = site.around(announcer: Quiet()) { $0.maintenanceMode = true }
            around.bend(host.rawValue) { call in
                switch call {
                case .maintenance:
                    let number = asked.withLock { count in
                        defer { count += 1 }
                        return count
                    }
                    return number < answers.count ? answers[number] : nil
                case .shutDownHost:
                    return told.withLock { count in
                        count += 1
                        return count <= 2 ? .timedOut : nil
                    }
                default: return nil
                }
            }
            let operation = Operation(in: around, control: RunControl(), makeID: { "m" })
            _ = try await site.goDown(operation)
            let recorded = try await operation.ledger().hostsPutInMaintenance.contains(host)
            return (recorded, site.world.inMaintenance(host))
        }
        #expect(recorded == isSo)
    }

    @Test func `a guest that was waited for in one restore may not still stop in the next`() throws
    {
        let site = MemorySite()
        let (reversed, first, second) = try simulate(site) {
            let control = RunControl()
            let operation = site.operation(
                announcer: AtGuest(3) { control.ask(.reverse) }, control: control)
            let reversed = try await site.goDown(operation)
            let first = try await operation.ledger().guestsThatMayStillStop.count
            let halfway = RunControl()
            _ = try await site.comeBack(
                site.operation(
                    announcer: AtPhaseEnd(.haBack) { halfway.ask(.stop) }, control: halfway))
            return (reversed, first, try await operation.ledger().guestsThatMayStillStop.count)
        }
        #expect(reversed == .reversed)
        #expect(first > 0)
        #expect(second == 0)
    }
}

/// What was answered, in order.
final class Answers: Sendable {
    private let answers = Mutex<[Bool]>([])
    var all: [Bool] { answers.withLock { $0 } }
    func add(_ answer: Bool) { answers.withLock { $0.append(answer) } }
}

/// Does something at the point of no return.
struct AtPointOfNoReturn: Announcer {
    let act: @Sendable () async -> Void
    func announce(_ record: Record) async {
        if case .pointOfNoReturn = record.event { await act() }
    }
}
