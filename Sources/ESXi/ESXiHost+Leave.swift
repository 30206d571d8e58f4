public import PowerModel
public import PowerRun
import Templates

/// The host that vpower itself runs on, in a guest.
extension ESXiHost {
    /// Starts the detached script and looks that it is at work; success also when it was already.
    public func leave(_ orders: LeaveOrders) async throws(HostError) {
        let attempting = "hand over to the host"
        let id = try await id(of: orders.controller, attempting)
        let script: String
        do throws(TemplateError) {
            script = try LeaveScript.script(
                runID: orders.run.rawValue, guestID: id,
                graceSeconds: Int(orders.grace.components.seconds),
                guestLimitSeconds: max(1, Int(orders.guestLimit.components.seconds)))
        } catch { throw self.error(.refused, attempting, error.detail) }
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(script)
            turn=0
            until \(Self.isLeavingCommand) || [ "$turn" -ge \(Self.startTurns) ]; do
                turn=$((turn + 1))
                usleep 250000 2>/dev/null || sleep 1
            done
            \(Self.leavingSection(nonce))
            """, nonce, attempting: attempting, limit: limits.command)
        guard Self.isLeaving(sections) else {
            throw error(
                .notAsWritten, attempting,
                "its script is not at work; is /tmp full? See \(LeaveScript.logPath) there")
        }
    }

    /// Whether the script is at work.
    public func isLeaving() async throws(HostError) -> Bool {
        let nonce = Sections.Nonce()
        let sections = try await run(
            Self.leavingSection(nonce), nonce, attempting: "ask whether it is about to shut down",
            limit: limits.command)
        return Self.isLeaving(sections)
    }

    /// Of a quarter of a second, until a script that was started has said so.
    private static let startTurns = 40

    private static let isLeavingCommand =
        #"{ [ -s "\#(LeaveScript.lockPath)/pid" ] && kill -0 "$(cat "\#(LeaveScript.lockPath)/pid")"; } 2>/dev/null"#

    private static func leavingSection(_ nonce: Sections.Nonce) -> String {
        """
        \(nonce.begin("leaving"))
        if \(isLeavingCommand); then echo yes; else echo no; fi
        """
    }

    private static func isLeaving(_ sections: Sections) -> Bool {
        VimText.lines(of: sections.text("leaving") ?? "") == ["yes"]
    }
}
