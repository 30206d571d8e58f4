/// What of a cluster's guests an administrator should know before an outage.
public struct GuestReview: Hashable, Sendable {
    /// What would hinder a shutdown or a restore.
    public private(set) var problems: [String] = []
    /// What happens otherwise than one may think.
    public private(set) var notes: [String] = []

    /// A review of the guests that a snapshot shows.
    /// - Parameter roles: nil where they cannot be told.
    public init(of inventory: Inventory, roles: Roles?, in site: ClusterSite) {
        for guest in inventory.guests where guest.nature == .unusable {
            problems.append("\(guest.name.onOneLine) is orphaned, inaccessible or invalid")
        }
        if let vcsa = roles?.vcsa { reviewKey(of: vcsa, which: "vCSA") }
        for guest in roles?.infrastructure ?? [] { reviewKey(of: guest, which: "infrastructure") }
        if let controller = Roles.controllerGuest(of: inventory, in: site) {
            reviewKey(of: controller, which: "controller")
            if controller.power == .on, controller.tools == .absent {
                problems.append(
                    "controller guest \(controller.name.onOneLine) has no Tools: its host cannot shut it "
                        + "down, and would cut it off with itself. Install open-vm-tools in it")
            }
        }
        for guest in inventory.guests where guest.nature == .ordinary {
            reviewStop(of: guest)
            reviewQuestion(of: guest, site.answers)
        }
    }

    /// With an external key provider a host that has booted needs vCenter and the KMS before it can
    /// open a guest: neither can be such a guest, nor what they need (facts/vsphere.md 4.4).
    private mutating func reviewKey(of guest: Guest, which role: String) {
        guard let encryption = guest.encryption else { return }
        let what = "\(role) guest \(guest.name.onOneLine) \(encryption.summary)"
        switch encryption.provider {
        case .native: break
        case .external:
            problems.append(
                "\(what): no host can open it again after a power cut while vCenter is off. Decrypt it, "
                    + "or use the Native Key Provider")
        case .unknown:
            notes.append(
                "\(what): whether that is the Native Key Provider is not known (reading it takes "
                    + "Cryptographer.ReadKeyServersInfo). With any other no host can open it again "
                    + "after a power cut while vCenter is off")
        }
    }

    private mutating func reviewStop(of guest: Guest) {
        let name = guest.name.onOneLine
        if guest.power == .on, guest.tools == .absent {
            notes.append("\(name) has no Tools: it will be powered off")
        }
        if let disabled = guest.disabledMethods, guest.power == .on {
            let methods = disabled.joined(separator: " and ")
            let isStuck = disabled.contains("PowerOffVM_Task")
            notes.append(
                "a solution has disabled \(methods) on \(name) (vCenter names it when asked, or in the "
                    + "guest's events): "
                    + (isStuck
                        ? "vpower cannot stop it" : "it goes as its tier's onLimit says, at once"))
        }
        if guest.encryption?.isLocked == true {
            problems.append(
                "\(name) is encrypted, and its host lacks its key: it cannot be started")
        }
    }

    private mutating func reviewQuestion(of guest: Guest, _ answers: [QuestionAnswer]) {
        guard let question = guest.question else { return }
        let what = "\(guest.name.onOneLine) waits for the answer to a question: \(question.summary)"
        if let choice = QuestionAnswer.choice(for: question, by: answers) {
            notes.append("\(what); a run would answer \"\(choice.label.onOneLine)\"")
        } else {
            problems.append(
                "\(what). Until then it follows no request: answer it, or say under `answers` how")
        }
    }
}
