/// Every method of vim25, and of vSAN's part of it, that vpower calls. What is not here cannot be
/// sent; a test walks them all and compares what is sent with pyvmomi's types.
enum VimMethod: String, CaseIterable, Sendable {
    case answerVM = "AnswerVM"
    case continueRetrievePropertiesEx = "ContinueRetrievePropertiesEx"
    case createContainerView = "CreateContainerView"
    case createFilter = "CreateFilter"
    case createPropertyCollector = "CreatePropertyCollector"
    case destroyPropertyCollector = "DestroyPropertyCollector"
    case destroyView = "DestroyView"
    case enterMaintenanceMode = "EnterMaintenanceMode_Task"
    case exitMaintenanceMode = "ExitMaintenanceMode_Task"
    case hasPrivilegeOnEntities = "HasPrivilegeOnEntities"
    case login = "Login"
    case logout = "Logout"
    case performClusterPowerAction = "PerformClusterPowerAction"
    case powerOffVM = "PowerOffVM_Task"
    case powerOnVM = "PowerOnVM_Task"
    case queryClusterPowerContext = "QueryClusterPowerContext"
    case queryOptions = "QueryOptions"
    case reconfigureAutostart = "ReconfigureAutostart"
    case reconfigureComputeResource = "ReconfigureComputeResource_Task"
    case refreshServices = "RefreshServices"
    case registerVM = "RegisterVM_Task"
    case retrievePropertiesEx = "RetrievePropertiesEx"
    case retrieveServiceContent = "RetrieveServiceContent"
    case shutdownGuest = "ShutdownGuest"
    case shutdownHost = "ShutdownHost_Task"
    case startService = "StartService"
    case stopService = "StopService"
    case suspendVM = "SuspendVM_Task"
    case terminateVM = "TerminateVM"
    case updateOptions = "UpdateOptions"
    case waitForUpdatesEx = "WaitForUpdatesEx"

    /// Whether it is vSAN's: another namespace at another endpoint, in the same session
    /// (facts/vsphere.md 2.16).
    var isOfVSAN: Bool { self == .performClusterPowerAction || self == .queryClusterPowerContext }

    /// The namespace of its messages.
    var namespace: String { isOfVSAN ? "urn:vsan" : "urn:vim25" }
}
