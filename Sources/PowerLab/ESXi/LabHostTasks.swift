import Synchronization

/// The tasks that a simulated host remembers of power verbs that failed: where the verb itself
/// says no more than `failed`, they have the reason (facts/esxi.md 1.4).
final class LabHostTasks: Sendable {
    private struct Task {
        var vmid: Int
        var name: String
        var verb: LabPowerVerb
        var answer: LabPowerAnswer
    }

    private let tasks = Mutex<[Task]>([])
    /// Tasks are forgotten, the oldest first.
    private static let kept = 16
    private static let firstNumber = 2826

    /// A verb failed.
    func note(_ verb: LabPowerVerb, _ answer: LabPowerAnswer, vmid: Int) {
        tasks.withLock { tasks in
            let number =
                (tasks.last.flatMap { Int($0.name.split(separator: "-").last ?? "") }
                    ?? Self.firstNumber) + 1
            let name = "haTask-\(vmid)-vim.VirtualMachine.\(Self.method(verb))-\(number)"
            tasks.append(Task(vmid: vmid, name: name, verb: verb, answer: answer))
            if tasks.count > Self.kept { tasks.removeFirst() }
        }
    }

    /// `vim-cmd vmsvc/get.tasklist`.
    func list(of vmid: Int) -> String {
        let names = tasks.withLock { $0.filter { $0.vmid == vmid }.map(\.name) }
        if names.isEmpty { return "(ManagedObjectReference) []\n" }
        return "(ManagedObjectReference) [\n"
            + names.map { "   'vim.Task:\($0)'" }.joined(separator: ", \n") + "\n]\n"
    }

    /// `vim-cmd vimsvc/task_info`; nil for a task that is not there.
    func information(_ name: String) -> String? {
        guard let task = tasks.withLock({ $0.first { $0.name == name } }) else { return nil }
        let dump = LabESXiOutput.powerFailure(task.verb, task.answer, as: .sameLine)
        let fault = dump.firstRange(of: "(vim.fault.").map { dump[$0.lowerBound...] } ?? ""
        return """
            (vim.TaskInfo) {
               key = "\(name)", 
               task = 'vim.Task:\(name)', 
               name = "vim.VirtualMachine.\(Self.method(task.verb))", 
               entity = 'vim.VirtualMachine:\(task.vmid)', 
               state = "error", 
               cancelled = false, 
               error = \(fault.dropLast()), 
               progress = 100, 
               reason = (vim.TaskReasonUser) {
                  userName = "root"
               }
            }

            """
    }

    private static func method(_ verb: LabPowerVerb) -> String {
        switch verb {
        case .on: "powerOn"
        case .off: "powerOff"
        case .suspend: "suspend"
        case .shutdown: "shutdownGuest"
        }
    }
}
