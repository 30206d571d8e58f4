import Mustache

/// What a template may be given.
enum TemplateValue: Sendable {
    /// A text, quoted wherever it is used.
    case text(String)
    /// A list for a section; each entry has its own names.
    case list([[String: TemplateValue]])

    /// A number, written in decimal.
    static func number(_ number: Int) -> TemplateValue { .text(String(number)) }

    /// A truth value: `true` or `false`.
    static func flag(_ flag: Bool) -> TemplateValue { .text(flag ? "true" : "false") }
}

/// One embedded template: swift-mustache with its traps closed.
///
/// Mustache renders a missing name as nothing and has two tags that skip the quoting. Here both
/// are errors: the tags are checked against the values before anything is rendered.
struct Template: Sendable {
    /// Its name in errors.
    let name: String
    private let tags: [Tag]
    private let parsed: MustacheTemplate

    private enum Tag: Sendable {
        case value(String)
        case open(String)
        case close(String)
    }

    /// Registering twice does no harm, but it is one process-wide table.
    private static let contentTypeIsRegistered: Void = MustacheContentTypes.register(
        ShellContentType(), named: ShellText.contentTypeName)

    init(name: String, text: String) throws(TemplateError) {
        self.name = name
        _ = Self.contentTypeIsRegistered
        tags = try Self.tags(of: text, name: name)
        do {
            parsed = try MustacheTemplate(string: text)
        } catch {
            throw TemplateError(
                template: name, reason: .badTemplate, detail: "cannot be parsed: \(error)")
        }
    }

    /// The text with the values in it.
    func render(_ values: [String: TemplateValue]) throws(TemplateError) -> String {
        var rest = tags[...]
        try check(&rest, against: [values])
        return parsed.render(Self.plain(values))
    }

    /// Reads the tags; only values, sections and the SHELL content type are allowed.
    private static func tags(of text: String, name: String) throws(TemplateError) -> [Tag] {
        let pragma = "{{% CONTENT_TYPE:\(ShellText.contentTypeName)}}"
        guard text.hasPrefix(pragma) else {
            throw TemplateError(
                template: name, reason: .forbiddenTag, detail: "must begin with \(pragma)")
        }
        var tags: [Tag] = []
        var rest = text.dropFirst(pragma.count)
        while let open = rest.firstRange(of: "{{") {
            rest = rest[open.upperBound...]
            guard let close = rest.firstRange(of: "}}") else {
                throw TemplateError(
                    template: name, reason: .badTemplate, detail: "a tag has no end")
            }
            tags.append(try tag(rest[..<close.lowerBound], name: name))
            rest = rest[close.upperBound...]
        }
        return tags
    }

    private static func tag(_ body: Substring, name: String) throws(TemplateError) -> Tag {
        func isName(_ text: Substring) -> Bool {
            !text.isEmpty
                && text.utf8.allSatisfy { (65...90).contains($0) || (97...122).contains($0) }
        }
        if isName(body) { return .value(String(body)) }
        let word = body.dropFirst()
        if body.hasPrefix("#"), isName(word) { return .open(String(word)) }
        if body.hasPrefix("/"), isName(word) { return .close(String(word)) }
        throw TemplateError(
            template: name, reason: .forbiddenTag,
            detail: "tag {{\(body)}}: only {{name}}, {{#name}} and {{/name}} are allowed")
    }

    /// Walks one section's tags with the values they will see; a section is walked once per entry.
    private func check(
        _ rest: inout ArraySlice<Tag>, against scopes: [[String: TemplateValue]]
    ) throws(TemplateError) {
        func lookUp(_ key: String) throws(TemplateError) -> TemplateValue {
            for scope in scopes.reversed() {
                if let value = scope[key] { return value }
            }
            throw TemplateError(
                template: name, reason: .missingValue, detail: "no value for {{\(key)}}")
        }
        while let tag = rest.popFirst() {
            switch tag {
            case .close: return
            case .value(let key):
                guard case .text(let text) = try lookUp(key) else {
                    throw TemplateError(
                        template: name, reason: .missingValue, detail: "{{\(key)}} is a list")
                }
                if text.unicodeScalars.contains("\0") {
                    throw TemplateError(
                        template: name, reason: .nulCharacter,
                        detail: "the value of {{\(key)}} holds a NUL character: rename the object")
                }
            case .open(let key):
                guard case .list(let entries) = try lookUp(key) else {
                    throw TemplateError(
                        template: name, reason: .missingValue, detail: "{{#\(key)}} is no list")
                }
                for entry in entries {
                    var section = rest
                    try check(&section, against: scopes + [entry])
                }
                Self.skipSection(&rest)
            }
        }
    }

    private static func skipSection(_ rest: inout ArraySlice<Tag>) {
        var depth = 1
        while depth > 0, let tag = rest.popFirst() {
            switch tag {
            case .open: depth += 1
            case .close: depth -= 1
            case .value: break
            }
        }
    }

    private static func plain(_ values: [String: TemplateValue]) -> [String: Any] {
        values.mapValues { value -> Any in
            switch value {
            case .text(let text): text
            case .list(let entries): entries.map(plain)
            }
        }
    }
}
