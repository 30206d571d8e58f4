import PowerLab
import PowerModel
import PowerRun
import Testing

/// What a host's management controller says counts more than silence.
struct BMCTests {
    private static let host = HostName("esx1.lab")

    /// One that always says the same.
    private struct Controller: BMCControl {
        enum Answer { case on, off, none }
        let host = BMCTests.host
        let answer: Answer
        func isOff() async throws(BMCError) -> Bool {
            guard answer != .none else {
                throw BMCError(host: host, reason: .unreachable, detail: "nobody answers")
            }
            return answer == .off
        }
    }

    private struct Seen: Sendable {
        var result: RunResult
        var took: Duration
        var gaps: [String]
        var notes: [String]
        var notOff: [String]
    }

    /// Takes the cluster down, with this controller in the first host.
    private func goDown(
        _ answer: Controller.Answer, losing lost: String? = nil
    ) throws -> Seen {
        let site = MemorySite()
        return try simulate(site) {
            var around = site.around(announcer: Quiet()) {
                $0.limits.settle = .seconds(40)
                $0.limits.host = .seconds(60)
            }
            around.bmcs = [Self.host: Controller(answer: answer)]
            if let lost { around.lose(lost) }
            let operation = Operation(in: around, control: RunControl(), makeID: { "r" })
            let result = try await site.goDown(operation)
            let run = try #require(try await operation.ledger().lastRun)
            let step = try #require(run.progress[StepID("stop-host/esx1.lab")])
            let began = try #require(run.phasesStarted[.hosts])
            let notes = try await site.journal.newest(1000).compactMap { record in
                if case .noted(let text) = record.event { text } else { nil }
            }
            return Seen(
                result: result, took: try #require(step.ended) - began,
                gaps: run.gaps.map { "\($0.step): \($0.why)" }, notes: notes,
                notOff: try await operation.notOff())
        }
    }

    @Test func `a host that it calls off needs no time to settle`() throws {
        let seen = try goDown(.off)
        #expect(seen.result == .finished)
        #expect(seen.took < .seconds(40))
        #expect(seen.notOff == [])
    }

    @Test func `a silent host that it calls on is not down, and keeps the output on`() throws {
        let seen = try goDown(.on)
        #expect(seen.result == .finishedWithGaps)
        #expect(
            seen.gaps.contains {
                $0.contains("stop-host/esx1.lab: ") && $0.contains("its BMC says that it is on")
            }, "\(seen.gaps)")
        #expect(seen.notOff == ["host esx1.lab is on, as its BMC says"])
    }

    @Test func `where it does not answer the silence must settle, and that is on record`() throws {
        let seen = try goDown(.none)
        #expect(seen.result == .finished)
        #expect(seen.took >= .seconds(40))
        #expect(
            seen.notes.contains(
                "esx1.lab is down as far as is heard: the BMC of host esx1.lab: nobody answers"))
        #expect(seen.notOff == [])
    }

    @Test func `a silent host that nobody told is off when it says so`() throws {
        let off = try goDown(.off, losing: "esx1.lab")
        #expect(!off.gaps.contains { $0.hasPrefix("stop-host") }, "\(off.gaps)")
        #expect(off.notOff == [])
        let unknown = try goDown(.none, losing: "esx1.lab")
        #expect(unknown.gaps.contains { $0.hasPrefix("stop-host/esx1.lab") }, "\(unknown.gaps)")
        #expect(unknown.notOff == ["host esx1.lab was not seen down"])
    }

    @Test func `a host that answers is not off, whatever it says`() throws {
        let site = MemorySite()
        let notOff = try simulate(site) {
            var around = site.around(announcer: Quiet())
            around.bmcs = [Self.host: Controller(answer: .off)]
            let operation = Operation(in: around, control: RunControl(), makeID: { "r" })
            let before = try await operation.notOff()
            _ = try await site.goDown(operation)
            site.world.wakeHost(Self.host)
            try await site.time.sleep(for: .seconds(60))
            return (before.first, try await operation.notOff())
        }
        #expect(notOff.0 == "host esx1.lab was not seen down")
        #expect(notOff.1 == ["host esx1.lab answers"])
    }
}
