import FoundationEssentials
import PowerRun
import Transport

/// What the REST interface answers instead of a result. Its type comes from the body, never from
/// the status or the words: 503 is a service that is not up, Tools that do not run, or a proxy
/// (facts/vsphere.md 2.0.3).
struct RESTFault: Hashable, Sendable {
    /// As `/api` names it in `error_type`: `RESOURCE_BUSY`.
    let type: String
    /// vCenter's own words; empty where it has none.
    let message: String

    init(type: String, message: String) {
        self.type = type
        self.message = message
    }

    /// nil where the body is not of that interface: a proxy's words.
    init?(_ body: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let error: Body
        do { error = try decoder.decode(Body.self, from: Data(body)) } catch { return nil }
        guard let type = error.errorType ?? error.value?.errorType ?? Self.name(error.type) else {
            return nil
        }
        self.type = type
        message = (error.messages ?? error.value?.messages)?.first?.defaultMessage ?? ""
    }

    /// `/rest` gives the name of the type's own definition.
    private static func name(_ type: String?) -> String? {
        guard let type, type.hasPrefix(definitions), type != definitions else { return nil }
        return type.dropFirst(definitions.count).uppercased()
    }

    private static let definitions = "com.vmware.vapi.std.errors."

    private struct Body: Decodable {
        struct Value: Decodable {
            var errorType: String?
            var messages: [Message]?
        }
        struct Message: Decodable { var defaultMessage: String? }
        var errorType: String?
        var type: String?
        var value: Value?
        var messages: [Message]?
    }

    /// One line: type and words.
    var description: String { message.isEmpty ? type : "\(type): \(message)" }

    /// The session is gone: log in again.
    var isUnauthenticated: Bool { type == "UNAUTHENTICATED" }
    /// Asked for what is already so.
    var isAlreadySo: Bool { type == "ALREADY_IN_DESIRED_STATE" }

    /// It is none of those that have a type of their own: a method that a solution has disabled, a
    /// master of HA that does not manage the guest.
    var saysNothing: Bool { type == "ERROR" || type == "INTERNAL_SERVER_ERROR" }

    /// What the engine decides on (facts/vsphere.md 2.0.3, 2.6, 2.7).
    var reason: ClusterError.Reason {
        switch type {
        case "UNAUTHORIZED": .notPermitted
        case "NOT_FOUND": .notFound
        case "RESOURCE_BUSY": .busy
        case "UNABLE_TO_ALLOCATE_RESOURCE": .noRoom
        case "NOT_ALLOWED_IN_CURRENT_STATE", "ALREADY_IN_DESIRED_STATE", "CONCURRENT_CHANGE":
            .wrongState
        // Logging in again has been tried already: vCenter forgets sessions while it comes up.
        case "SERVICE_UNAVAILABLE", "UNAUTHENTICATED": .starting
        case "TIMED_OUT": .timedOut
        default: .refused
        }
    }
}
