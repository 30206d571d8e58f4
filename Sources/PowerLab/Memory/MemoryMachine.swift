public import PowerModel
public import PowerRun

/// A simulated machine in memory.
public struct MemoryMachine: MachineControl {
    /// The machine.
    public let machine: MachineName
    /// Whether it can be called off.
    public let canBeCalledOff: Bool
    private let number: Int
    private let caller: LabCaller

    /// A machine of a simulated site, as one process sees it.
    public init(_ spec: LabMachineSpec, in world: LabWorld, life: LabLife = LabLife()) {
        guard let number = world.turn({ $0.number(of: spec.name) }) else {
            preconditionFailure("the scenario has no machine \(spec.name)")
        }
        machine = spec.name
        canBeCalledOff = spec.canBeCalledOff
        self.number = number
        caller = LabCaller(world: world, life: life)
    }

    /// Asks the machine, where it answers.
    private func ask(
        _ attempting: String, _ body: (inout LabState) -> Bool
    ) async throws(MachineError) {
        let number = number
        let isDone: Bool
        do throws(LabCaller.Failure) {
            isDone = try await caller.ask(past: { $0.obstacle(toMachine: number) }, body)
        } catch {
            throw MachineError(
                machine: machine, attempting: attempting, reason: .unreachable,
                detail: error.detail)
        }
        if !isDone {
            throw MachineError(
                machine: machine, attempting: attempting, reason: .refused, detail: "status 1")
        }
    }

    /// Tells it to go.
    public func shutDown() async throws(MachineError) {
        try await ask("shut the machine down") { world in
            world.shutDownMachine(number)
            return true
        }
    }

    /// Calls that off.
    public func callOff() async throws(MachineError) {
        try await ask("call its shutdown off") { $0.callOffMachine(number) }
    }

    /// Whether nobody answers.
    public func isSilent() async -> Bool {
        guard caller.life.isAlive else { return false }
        return caller.world.turn { $0.isSilent(machine: number) }
    }

    /// Starts it as Wake-on-LAN would.
    public func wake() async throws(MachineError) {
        guard caller.life.isAlive else { return }
        caller.world.turn { $0.powerOnMachine(number) }
    }

    /// No session to end.
    public func close() async {}
}
