import PowerModel
import Testing

struct QuestionAnswerTests {
    private static let question = GuestQuestion(
        id: "3", text: "This virtual machine might have been moved or copied.\nWhich?",
        messages: ["msg.uuid.altered"],
        choices: [
            .init(key: "button.uuid.cancel", label: "Cancel"),
            .init(key: "button.uuid.movedTheVM", label: "I _Moved It"),
            .init(key: "button.uuid.copiedTheVM", label: "I _Copied It"),
        ])

    @Test(arguments: [
        ("msg.uuid.altered", "I _Copied It", "button.uuid.copiedTheVM"),
        ("msg.uuid.altered", "i copied it", "button.uuid.copiedTheVM"),
        ("moved or copied", "button.uuid.movedTheVM", "button.uuid.movedTheVM"),
        ("msg.uuid", "Cancel", nil), ("altered", "Cancel", nil),
        ("msg.uuid.altered", "copied", nil), ("msg.uuid.altered", "", nil),
    ])
    func `a question is known by a message's name or its words, a choice by its label or key`(
        match: String, choose: String, key: String?
    ) {
        let answers = [QuestionAnswer(match: match, choose: choose)]
        #expect(QuestionAnswer.choice(for: Self.question, by: answers)?.key == key)
    }

    @Test func `the first answer that fits decides, also when it comes to nothing`() {
        let answers = [
            QuestionAnswer(match: "moved", choose: "None of it"),
            QuestionAnswer(match: "msg.uuid.altered", choose: "Cancel"),
        ]
        #expect(QuestionAnswer.choice(for: Self.question, by: answers) == nil)
    }

    @Test func `of two choices with one label neither is taken`() {
        var question = Self.question
        question.choices[1].label = "Cancel"
        let answers = [QuestionAnswer(match: "moved", choose: "cancel")]
        #expect(QuestionAnswer.choice(for: question, by: answers) == nil)
    }

    @Test func `a question is shown on one line`() {
        #expect(
            Self.question.summary
                == "This virtual machine might have been moved or copied.\\u{a}Which? "
                + "[\"Cancel\", \"I _Moved It\", \"I _Copied It\"]")
    }
}
