/// A question that a guest waits with until somebody chooses: until then it follows no request.
public struct GuestQuestion: Hashable, Codable, Sendable {
    /// One of its answers.
    public struct Choice: Hashable, Codable, Sendable {
        /// What vCenter is told.
        public var key: String
        /// What a person is shown, e.g. `I _copied it`: the underscore marks a key.
        public var label: String

        /// A choice.
        public init(key: String, label: String) {
            self.key = key
            self.label = label
        }
    }

    /// Its number: that of the next question is another.
    public var id: String
    /// Its words, not trusted: `msg.uuid.altered:This virtual machine may have been …`.
    public var text: String
    /// What its messages are called, e.g. `msg.uuid.altered`, where vCenter says.
    public var messages: [String]
    /// What may be chosen.
    public var choices: [Choice]

    /// A question.
    public init(id: String, text: String, messages: [String] = [], choices: [Choice]) {
        self.id = id
        self.text = text
        self.messages = messages
        self.choices = choices
    }

    /// One of which no more is known than that it is there.
    public static let unknown = GuestQuestion(id: "", text: "", choices: [])

    /// Its words and what may be chosen, on one line.
    public var summary: String {
        let shown = text.isEmpty ? "its words are not known" : text.onOneLine(atMost: Self.shownMax)
        let labels = choices.map { "\"\($0.label.onOneLine)\"" }.joined(separator: ", ")
        return labels.isEmpty ? shown : "\(shown) [\(labels)]"
    }

    /// So much of its words is shown.
    private static let shownMax = 200
}

/// How the site file answers questions of guests: nothing else ever does.
public struct QuestionAnswer: Hashable, Sendable {
    /// What a question is known by: the name of one of its messages, or a part of its words.
    public var match: String
    /// The choice, by its label or key, in small letters or large, with underscores or without.
    public var choose: String

    /// An answer.
    public init(match: String, choose: String) {
        self.match = match
        self.choose = choose
    }

    private func fits(_ question: GuestQuestion) -> Bool {
        question.messages.contains(match) || question.text.contains(match)
    }

    private func isChoice(_ choice: GuestQuestion.Choice) -> Bool {
        let wanted = Self.plain(choose)
        return Self.plain(choice.label) == wanted || Self.plain(choice.key) == wanted
    }

    private static func plain(_ text: String) -> String { text.lowercased().filter { $0 != "_" } }

    /// The choice that the first of these answers that fits a question makes; nil where none fits,
    /// or where the question does not have that choice, or more than one of that name.
    public static func choice(
        for question: GuestQuestion, by answers: [QuestionAnswer]
    ) -> GuestQuestion.Choice? {
        guard let answer = answers.first(where: { $0.fits(question) }) else { return nil }
        let found = question.choices.filter(answer.isChoice)
        return found.count == 1 ? found[0] : nil
    }
}
