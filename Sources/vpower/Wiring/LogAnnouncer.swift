import Logging
import PowerModel
import PowerRun

/// Puts a run's records into the log.
struct LogAnnouncer: Announcer {
    let logger: Logger

    func announce(_ record: Record) async {
        switch record.event {
        case .phaseStarted(let phase): logger.notice("phase began", metadata: ["phase": "\(phase)"])
        case .phaseEnded(let phase): logger.notice("phase over", metadata: ["phase": "\(phase)"])
        case .stepEnded(let step, .gaveUp(let why)):
            logger.error("step gave up", metadata: ["step": "\(step)", "why": "\(why)"])
        case .stepEnded(let step, .done(.forced)):
            logger.warning("guest was powered off", metadata: ["step": "\(step)"])
        case .stepEnded(let step, .done(.suspended)):
            logger.warning("guest was suspended", metadata: ["step": "\(step)"])
        case .stepEnded(let step, let outcome):
            logger.info("step over", metadata: ["step": "\(step)", "outcome": "\(outcome)"])
        case .budgetChanged(let phase, let from, let to, let why):
            logger.warning(
                "budget changed",
                metadata: [
                    "phase": "\(phase)", "from": "\(from)", "to": "\(to)", "why": "\(why)",
                ])
        case .bootChosen(let host, let choice, let before):
            logger.notice("boot chosen", metadata: ["text": "\(choice.told(of: host, before))"])
        case .sshFound(let host, let runs):
            logger.info("SSH found", metadata: ["host": "\(host)", "runs": "\(runs)"])
        case .noted(let text): logger.warning("note", metadata: ["text": "\(text)"])
        case .pointOfNoReturn(let why):
            logger.notice("point of no return", metadata: ["why": "\(why)"])
        case .runStarted(let plan, let cause):
            logger.notice(
                "run began", metadata: ["kind": "\(plan.kind.rawValue)", "why": "\(cause.reason)"])
        case .runEnded(let result):
            logger.notice("run ended", metadata: ["result": "\(result.rawValue)"])
        case .outageOpened(let cluster, let reason):
            logger.notice("outage", metadata: ["cluster": "\(cluster)", "why": "\(reason)"])
        case .outageClosed: logger.notice("outage closed: everything is back")
        case .snapshotTaken, .asked: break
        }
    }
}
