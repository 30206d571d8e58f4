import PowerModel

/// Storage and others. Every one of them hangs on all feeds.
extension LabState {
    /// The number of the machine of this name.
    func number(of machine: MachineName) -> Int? {
        machines.firstIndex { $0.spec.name == machine }
    }

    /// Whether nobody answers on its port, as far as vpower can see.
    mutating func isSilent(machine number: Int) -> Bool {
        !machines[number].isOn || hits(.switchDead)
    }

    /// What a call to a machine runs into; nil when it goes through.
    mutating func obstacle(toMachine number: Int) -> LabObstacle? {
        isSilent(machine: number)
            ? LabObstacle(reason: .unreachable, detail: "nobody answers") : slowNames()
    }

    /// Tells a machine to go, at once or after its delay. The last order counts.
    mutating func shutDownMachine(_ number: Int) {
        machines[number].generation += 1
        note(.machineTold, machines[number].spec.name.rawValue)
        schedule(
            .machineGoes(number, generation: machines[number].generation),
            in: (machines[number].spec.delay ?? .zero) + scenario.pace.machineStops)
    }

    /// Calls that off; false where there is nothing to call off.
    mutating func callOffMachine(_ number: Int) -> Bool {
        guard machines[number].spec.canBeCalledOff else { return false }
        machines[number].generation += 1
        note(.machineCalledOff, machines[number].spec.name.rawValue)
        return true
    }

    mutating func machineGoes(_ number: Int, _ generation: Int) {
        guard machines[number].isOn, machines[number].generation == generation else { return }
        machines[number].isOn = false
        note(.machineOff, machines[number].spec.name.rawValue)
    }

    /// All outputs are off.
    mutating func losePower(machine number: Int) {
        machines[number].generation += 1
        guard machines[number].isOn else { return }
        machines[number].isOn = false
        note(.machineLost, machines[number].spec.name.rawValue)
    }

    /// Starts a machine as its power does, or Wake-on-LAN.
    mutating func powerOnMachine(_ number: Int) {
        guard hasOutput, !machines[number].isOn else { return }
        machines[number].generation += 1
        schedule(
            .machineUp(number, generation: machines[number].generation),
            in: scenario.pace.machineBoots)
    }

    mutating func machineUp(_ number: Int, _ generation: Int) {
        guard hasOutput, machines[number].generation == generation else { return }
        machines[number].isOn = true
        note(.machineUp, machines[number].spec.name.rawValue)
    }
}
