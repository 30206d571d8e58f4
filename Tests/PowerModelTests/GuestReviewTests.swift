import PowerModel
import Testing

struct GuestReviewTests {
    private static func review(
        _ guest: Guest, answers: [QuestionAnswer] = [],
        _ change: (inout ClusterSite) -> Void = { _ in }
    ) throws -> GuestReview {
        var fixture = Fixture(guests: [guest])
        fixture.site.vcsaGuest = nil
        fixture.site.answers = answers
        change(&fixture.site)
        let roles = try Roles(of: fixture.snapshot.inventory, in: fixture.site)
        return GuestReview(of: fixture.snapshot.inventory, roles: roles, in: fixture.site)
    }

    private static func encrypted(_ provider: GuestEncryption.Provider) -> Guest {
        var guest = Fixture.guest("core1")
        guest.encryption = GuestEncryption(
            keyProvider: "kms\n1", provider: provider, hasTPM: true)
        return guest
    }

    enum Role: CaseIterable { case vcsa, infrastructure, controller, other }

    /// Trap (facts/vsphere.md 4.4): a KMS that is a guest, or behind one, opens nothing.
    @Test(arguments: Role.allCases, [GuestEncryption.Provider.external, .native, .unknown])
    func `what others need to work may not hang on an external key provider`(
        role: Role, provider: GuestEncryption.Provider
    ) throws {
        let review = try Self.review(Self.encrypted(provider)) { site in
            switch role {
            case .vcsa: site.vcsaGuest = "core1"
            case .infrastructure: site.infrastructure = ["core*"]
            case .controller: site.controllerGuest = "core1"
            case .other: break
            }
        }
        #expect(review.problems.count == (role != .other && provider == .external ? 1 : 0))
        #expect(review.notes.count == (role != .other && provider == .unknown ? 1 : 0))
        let told = (review.problems + review.notes).joined()
        if !told.isEmpty {
            #expect(
                told.contains("core1 has a virtual TPM, with a key of the key provider kms\\u{a}1"))
        }
    }

    @Test func `trap 4.4: a guest that is broken is no target, and check names it`() throws {
        var guest = Fixture.guest("web\n1")
        guest.nature = .unusable
        guest.power = .unknown
        let review = try Self.review(guest)
        #expect(review.problems == ["web\\u{a}1 is orphaned, inaccessible or invalid"])
        var fixture = Fixture(guests: [guest, Fixture.guest("db")])
        fixture.site.vcsaGuest = nil
        let plan = try fixture.shutdown()
        #expect(!plan.guests.contains(guest.id))
    }

    @Test func `a guest whose key its host lacks cannot be started`() throws {
        var guest = Self.encrypted(.native)
        guest.encryption?.isLocked = true
        #expect(try Self.review(guest).problems.first?.contains("lacks its key") == true)
    }

    @Test(arguments: [
        (["ShutdownGuest"], "onLimit"), (["ShutdownGuest", "PowerOffVM_Task"], "cannot stop"),
    ])
    func `a guest that a solution keeps from being stopped is told`(
        methods: [String], words: String
    ) throws {
        var guest = Fixture.guest("web")
        guest.disabledMethods = methods
        let review = try Self.review(guest)
        #expect(review.notes.first?.contains(words) == true)
        #expect(review.problems == [])
        guest.power = .off
        #expect(try Self.review(guest).notes == [])
    }

    @Test func `a question is a problem unless the site file answers it`() throws {
        var guest = Fixture.guest("web")
        guest.question = GuestQuestion(
            id: "1", text: "msg.uuid.altered:Moved?", choices: [.init(key: "1", label: "I _did")])
        let open = try Self.review(guest)
        #expect(open.problems.first?.contains("msg.uuid.altered:Moved? [\"I _did\"]") == true)
        let answer = QuestionAnswer(match: "msg.uuid.altered", choose: "i did")
        let answered = try Self.review(guest, answers: [answer])
        #expect(answered.problems == [])
        #expect(answered.notes.first?.contains("would answer \"I _did\"") == true)
    }
}
