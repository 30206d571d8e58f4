import PowerRun
import Transport

/// Why one call has no result, before it is told to the engine as a `ClusterError`.
enum CallFailure: Error, Hashable, Sendable {
    /// No answer.
    case transport(HTTPSError)
    /// vCenter answered with a fault, as SOAP or in a task.
    case fault(VimFault)
    /// vCenter's REST interface answered with a fault of its own.
    case rest(RESTFault)
    /// vCenter's REST interface cannot be used: it lets nobody in, or does not answer in its form.
    case restUnusable(String)
    /// A guest's Tools do not answer, seen by looking.
    case toolsUnavailable(String)
    /// An HTTP status that is not vim's: a proxy in front, or a vCenter that is starting.
    case status(Int)
    /// The answer cannot be understood.
    case unreadable(String)
    /// A limit of ours passed.
    case timedOut(String)
    /// vCenter answers, but cannot log anybody in yet.
    case starting(String)
    /// What was asked for does not exist, seen by looking.
    case missing(String)
    /// It cannot be asked for.
    case refused(String)

    /// Whether logging in again is the way on.
    var isNotAuthenticated: Bool {
        if case .fault(let fault) = self { fault.isNotAuthenticated } else { false }
    }

    /// What the engine decides on, and an operator's words for it.
    var forEngine: (reason: ClusterError.Reason, detail: String) {
        switch self {
        case .transport(let error): Self.transport(error)
        case .fault(let fault):
            (
                Self.reason(fault.type),
                fault.description.withoutStop + (Self.advice(fault.type).map { ". \($0)" } ?? "")
            )
        case .rest(let fault): (fault.reason, fault.description.withoutStop)
        case .restUnusable(let what): (.refused, what)
        case .toolsUnavailable(let what): (.toolsUnavailable, what)
        case .status(let status): Self.status(status)
        case .unreadable(let what): (.badAnswer, "the answer \(what)")
        case .timedOut(let what): (.timedOut, what)
        case .starting(let what): (.starting, what)
        case .missing(let what): (.notFound, what)
        case .refused(let what): (.refused, what)
        }
    }

    private static func transport(_ error: HTTPSError) -> (ClusterError.Reason, String) {
        switch error.reason {
        case .unreachable: (.unreachable, error.detail)
        case .broken: (.unreachable, "the connection broke: \(error.detail)")
        case .certificateRefused:
            (
                .certificateRefused,
                "\(error.detail). Nothing was sent. If the certificate was renewed, look at it "
                    + "with `vpower trust` and pin the new one"
            )
        case .timedOut: (.timedOut, error.detail)
        case .tooLarge: (.badAnswer, error.detail)
        }
    }

    private static func status(_ status: Int) -> (ClusterError.Reason, String) {
        switch status {
        case 502, 503, 504:
            (.starting, "it answers with HTTP status \(status): it is still starting")
        case 404:
            (.starting, "it has no /sdk (HTTP status 404): not vSphere, or still starting")
        default:
            (.starting, "it answers with HTTP status \(status), not as vSphere does")
        }
    }

    /// By the concrete type, facts/vsphere.md 2.6 and 2.12.
    private static func reason(_ type: String) -> ClusterError.Reason {
        switch type {
        case "InvalidLogin", "PasswordExpired": .loginRefused
        // Logging in again has been tried already: vCenter forgets sessions while it comes up.
        case "NotAuthenticated": .starting
        case "NoPermission", "RestrictedByAdministrator",
            "HostAccessRestrictedToManagementServer":
            .notPermitted
        case "ManagedObjectNotFound", "NotFound": .notFound
        case "ToolsUnavailable": .toolsUnavailable
        case "MethodDisabled": .methodDisabled
        case "TaskInProgress": .busy
        case _ where noRoom.contains(type): .noRoom
        case "InvalidPowerState", "InvalidState", "InvalidHostState",
            "InvalidHostConnectionState", "ConcurrentAccess":
            .wrongState
        case "Timedout": .timedOut
        default: .refused
        }
    }

    /// That a guest cannot be started where and as things are: `InsufficientResourcesFault` and what
    /// is derived from it, and rules of DRS and HA (facts/vsphere.md 2.4, 2.7, 4.4).
    private static let noRoom: Set = [
        "InsufficientResourcesFault", "InsufficientFailoverResourcesFault",
        "InsufficientCpuResourcesFault", "InsufficientMemoryResourcesFault",
        "InsufficientHostCapacityFault", "InsufficientHostCpuCapacityFault",
        "InsufficientHostMemoryCapacityFault", "InsufficientPerCpuCapacity",
        "InsufficientStandbyResource", "InsufficientStandbyCpuResource",
        "InsufficientStandbyMemoryResource", "InsufficientStorageSpace",
        "InsufficientNetworkCapacity", "InsufficientNetworkResourcePoolCapacity",
        "InsufficientVFlashResourcesFault", "InsufficientGraphicsResourcesFault",
        "InsufficientAgentVmsDeployed", "RuleViolation", "DisallowedOperationOnFailoverHost",
    ]

    /// What to do about a refusal, where vCenter's own words do not tell.
    private static func advice(_ type: String) -> String? {
        switch type {
        case "MethodDisabled":
            "A solution has disabled this on the guest: end its work there, or look at its settings"
        case "TaskInProgress":
            "Another operation is under way on the guest, its vApp's for one: it is tried again"
        case "RuleViolation":
            "A rule of DRS keeps the guest from that host: start it by hand where the rule allows "
                + "it, or wait until more hosts are back"
        case "InsufficientFailoverResourcesFault":
            "HA keeps room for a failover: start the guest while HA is off, or when more hosts are "
                + "back"
        case "DisallowedOperationOnFailoverHost":
            "HA keeps that host free for a failover: start the guest on another one"
        case "NotEnoughLicenses": "Licenses are missing: look at the vCenter's licensing"
        case _ where noRoom.contains(type):
            "There is not enough room for the guest: it is tried again while more hosts come back"
        default: nil
        }
    }
}

extension String {
    /// Without the full stop that many of vCenter's own words end with: more comes behind it.
    fileprivate var withoutStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
