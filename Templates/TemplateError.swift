/// Why a template could not be rendered, or a generated file not be read back.
public struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// A value holds a NUL character, which no shell can carry.
        case nulCharacter
        /// A value is outside of its documented bounds.
        case outOfBounds
        /// A file or line of the administrator's is no text.
        case notText
        /// The template names something that has no value.
        case missingValue
        /// The template uses a tag that could let a value through unquoted.
        case forbiddenTag
        /// The template cannot be parsed.
        case badTemplate
        /// A report of a boot script is not one, or is cut short.
        case badReport
    }

    /// The file, e.g. `local.sh`.
    public var template: String
    /// What kind of failure it is.
    public var reason: Reason
    /// What exactly, and what to do about it.
    public var detail: String

    /// An error.
    public init(template: String, reason: Reason, detail: String) {
        self.template = template
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "\(template): \(detail)" }
}
