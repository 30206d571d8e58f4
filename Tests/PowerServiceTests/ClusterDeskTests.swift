import PowerModel
import PowerService
import Testing

private let apps = TierName("apps")
private let whole = ClusterDesk.Job.down(.wholeCluster, because: "low")
private let tiers = ClusterDesk.Job.down(.tiers([apps]), because: "shed")

@Suite struct ClusterDeskTests {
    @Test func `an outage takes the cluster down and brings it back`() {
        var desk = ClusterDesk()
        #expect(desk.takeDown(.wholeCluster, because: "low").fate == .accepted)
        #expect(desk.isGoingDown)
        #expect(desk.begin() == whole)
        #expect(desk.begin() == nil, "one at a time")
        desk.ended(.finished)
        #expect(desk.relieve() == nil)
        #expect(desk.takeUp() == .accepted)
        #expect(desk.begin() == .up)
    }

    @Test func `a cluster that loses its power while it is shed stops that and goes down`() {
        var desk = ClusterDesk()
        _ = desk.takeDown(.tiers([apps]), because: "shed")
        #expect(desk.begin() == tiers)
        let taken = desk.takeDown(.wholeCluster, because: "low")
        #expect(taken.fate == .accepted && taken.signal == .stop)
        desk.ended(.interrupted)
        #expect(desk.begin() == whole)
        #expect(desk.takeDown(.tiers([apps]), because: "shed").fate == .alreadySo)
        desk.ended(.finished)
        #expect(desk.begin() == nil)
    }

    @Test func `more tiers wait for the end of those that are shed`() {
        var desk = ClusterDesk()
        _ = desk.takeDown(.tiers([apps]), because: "shed")
        _ = desk.begin()
        let more = desk.takeDown(.tiers([apps, TierName("web")]), because: "more")
        #expect(more.fate == .accepted && more.signal == nil)
        let hosts = desk.takeDown(.hosts([HostName("h")]), because: "feed")
        #expect(hosts.fate == .accepted && hosts.signal == nil)
        desk.ended(.finished)
        #expect(desk.waiting.count == 2)
        // The whole cluster makes its parts superfluous.
        _ = desk.takeDown(.wholeCluster, because: "low")
        #expect(desk.waiting == [whole])
    }

    @Test func `mains that flap while a run is told to reverse lead to one run or a second one`() {
        for (result, next) in [(RunResult.finished, ClusterDesk.Job?.none), (.reversed, whole)] {
            var desk = ClusterDesk()
            _ = desk.takeDown(.wholeCluster, because: "low")
            _ = desk.begin()
            #expect(desk.relieve() == .reverse)
            let again = desk.takeDown(.wholeCluster, because: "low")
            #expect(again.fate == .alreadySo && again.signal == .goOn)
            desk.ended(result)
            #expect(desk.begin() == next)
        }
    }

    @Test func `a restore is stopped by a second outage, and comes after it`() {
        var desk = ClusterDesk()
        _ = desk.takeUp()
        #expect(desk.begin() == .up)
        #expect(desk.takeDown(.tiers([apps]), because: "shed").signal == .stop)
        desk.ended(.interrupted)
        #expect(desk.begin() == tiers)
        _ = desk.takeUp()
        desk.ended(.finished)
        #expect(desk.begin() == .up)
    }

    @Test func `what is not begun when the mains are back is not begun`() {
        var desk = ClusterDesk()
        _ = desk.takeUp()
        _ = desk.begin()
        _ = desk.takeDown(.wholeCluster, because: "low")
        #expect(desk.relieve() == nil, "the restore is not reversed")
        desk.ended(.interrupted)
        #expect(desk.begin() == nil)
    }

    @Test func `a cluster that cannot begin to go down tries again until the mains are back`() {
        var desk = ClusterDesk()
        _ = desk.takeDown(.wholeCluster, because: "low")
        for _ in 0..<3 {
            #expect(desk.begin() == whole)
            desk.ended(nil)
        }
        _ = desk.begin()
        _ = desk.relieve()
        desk.ended(nil)
        #expect(desk.begin() == nil)
    }

    // MARK: Hold

    @Test func `under a hold nothing begins, and at its end what is still so begins at once`() {
        var desk = ClusterDesk()
        _ = desk.setHold(true)
        #expect(desk.takeDown(.tiers([apps]), because: "shed").fate == .held)
        #expect(desk.takeDown(.wholeCluster, because: "low").fate == .held)
        #expect(!desk.isGoingDown)
        #expect(desk.begin() == nil)
        #expect(desk.setHold(true).released == [])
        #expect(desk.setHold(false).released == [whole])
        #expect(desk.begin() == whole)
    }

    @Test func `mains that return under a hold leave nothing to do`() {
        var desk = ClusterDesk()
        _ = desk.setHold(true)
        _ = desk.takeDown(.wholeCluster, because: "low")
        #expect(desk.relieve() == nil)
        #expect(desk.setHold(false).released == [])
        #expect(desk.begin() == nil)
    }

    @Test func `a hold does not touch a run that goes on, nor the undoing of a reversed one`() {
        var desk = ClusterDesk()
        _ = desk.takeDown(.wholeCluster, because: "low")
        _ = desk.begin()
        _ = desk.setHold(true)
        #expect(desk.running == whole)
        #expect(desk.relieve() == .reverse)
        desk.ended(.reversed)
        #expect(desk.takeUp() == .accepted)
        #expect(desk.begin() == .up)
        desk.ended(.finished)
        // A way back that has not begun waits as anything else.
        #expect(desk.takeUp() == .held)
        #expect(desk.setHold(false).released == [.up])
    }

    @Test func `a run that a crash cut off goes on under a hold`() {
        var desk = ClusterDesk()
        _ = desk.setHold(true)
        desk.goOn(.wholeCluster, because: "low")
        #expect(desk.begin() == whole)
    }

    // MARK: Abort

    @Test func `after an abort nothing goes down until the mains were back`() {
        var desk = ClusterDesk()
        _ = desk.takeDown(.tiers([apps]), because: "shed")
        _ = desk.begin()
        _ = desk.takeDown(.wholeCluster, because: "low")
        desk.abort()
        desk.ended(.reversed)
        #expect(desk.begin() == nil)
        let next = desk.takeDown(.wholeCluster, because: "low")
        #expect(next.fate == .aborted && next.signal == nil)
        #expect(desk.begin() == nil)
        _ = desk.relieve()
        #expect(desk.takeDown(.wholeCluster, because: "low").fate == .accepted)
    }
}

extension ClusterDeskTests {
    @Test func `what an aborted run left is undone after a crash, hold or not`() {
        var desk = ClusterDesk()
        _ = desk.setHold(true)
        desk.abort()
        desk.undo()
        #expect(desk.begin() == .up)
    }
}
