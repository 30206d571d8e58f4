/// The parts of a script's output, between lines that nobody can forge.
///
/// A guest's notes are printed raw and may hold any line. So every script gets a fresh 128-bit
/// nonce, and only lines that begin with it divide its output.
struct Sections {
    /// What begins every dividing line of one script.
    struct Nonce: Hashable {
        let text: String

        init(using generator: inout some RandomNumberGenerator) {
            let words = [
                UInt64.random(in: .min ... .max, using: &generator),
                UInt64.random(in: .min ... .max, using: &generator),
            ]
            text =
                "vpower-"
                + words.map { word in
                    let digits = String(word, radix: 16)
                    return String(repeating: "0", count: 16 - digits.count) + digits
                }.joined()
        }

        init() {
            var generator = SystemRandomNumberGenerator()
            self.init(using: &generator)
        }

        /// A command that ends what was printed so far and begins a section. The tag is a word of
        /// ours, or a variable of the script.
        func begin(_ tag: String) -> String { #"printf '\n%s\n' "\#(text) \#(tag)""# }
    }

    /// Each section's tag and text, in order; what came before the first one is not kept.
    let all: [(tag: String, text: String)]
    /// What the script wrote to standard error.
    let errors: String

    init(_ output: [UInt8], errors: String = "", _ nonce: Nonce) {
        self.errors = errors
        let mark = Array("\(nonce.text) ".utf8)
        var all: [(tag: String, lines: [ArraySlice<UInt8>])] = []
        for line in output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.starts(with: mark) {
                all.append((String(decoding: line.dropFirst(mark.count), as: UTF8.self), []))
            } else if let last = all.indices.last {
                all[last].lines.append(line)
            }
        }
        // The line feed that `begin` prints first parts the text from the line, as a separator
        // does: it belongs to neither.
        self.all = all.map { section in
            let text = section.lines.joined(separator: [UInt8(ascii: "\n")])
            return (section.tag, String(decoding: Array(text), as: UTF8.self))
        }
    }

    /// The text of the first section of this tag.
    func text(_ tag: String) -> String? { all.first { $0.tag == tag }?.text }

    /// Whether the script came to its end, which is a section `end`.
    var isComplete: Bool { all.last?.tag == "end" }
}
